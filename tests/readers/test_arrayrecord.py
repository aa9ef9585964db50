"""array-record and grain read what the format arrayrecord holds; protobuf says what a record is."""

from __future__ import annotations

import numpy as np
import pytest

from readers.documents import CASES, MANY, NOTHING, SHARDS, SMALL, assert_same, windows
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]
# tensorflow's example.proto and feature.proto, what matters of them here.
PROTO = {
    "Int64List": [("value", 1, "int64", True)],
    "Feature": [("int64_list", 3, "Int64List", False)],
    "Entry": [("key", 1, "string", False), ("value", 2, "Feature", False)],
    "Features": [("feature", 1, "Entry", True)],
    "Example": [("features", 1, "Features", False)],
}


@pytest.fixture
def parse(reader):
    """Return a function from a record to its ids, by protobuf's own parser."""
    pb = reader("google.protobuf.descriptor_pb2")
    pool = reader("google.protobuf.descriptor_pool").DescriptorPool()
    file = pb.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    for message, fields in PROTO.items():
        made = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            field = made.field.add(name=name, number=number, label=3 if repeated else 1)
            field.type = {"int64": 3, "string": 9}.get(kind, 11)
            if field.type == 11:
                field.type_name = f".t.{kind}"
    pool.Add(file)
    example = reader("google.protobuf.message_factory").GetMessageClass(pool.FindMessageTypeByName("t.Example"))

    def ids_of(record):
        [feature] = example.FromString(record).features.feature
        assert feature.key == "input_ids"
        return np.array(feature.value.int64_list.value, np.int64)

    return ids_of


@pytest.fixture
def read(reader, parse):
    """Return a function from a file to its documents."""
    module = reader("array_record.python.array_record_module")

    def documents_of(path):
        records = module.ArrayRecordReader(str(path))
        assert records.ok()
        found = [parse(record) for record in records.read_all()] if records.num_records() else []
        records.close()
        return found

    return documents_of


@pytest.mark.parametrize("case", (CASES | NOTHING).values(), ids=CASES | NOTHING)
def test_every_document_comes_back(case, corpus, read):
    """The records are the documents, with or without any."""
    assert_same(read(corpus.write(case, "arrayrecord", "train.array_record")), case.documents)


def test_records_are_found_one_by_one(corpus, reader):
    """Every record is a group of its own, so that a random place costs one record."""
    path = corpus.write(CASES["ordinary"], "arrayrecord", "train.array_record")
    records = reader("array_record.python.array_record_module").ArrayRecordReader(str(path))
    assert "group_size:1" in records.writer_options_string()


def test_a_thousand_shards(corpus, reader, parse):
    """grain takes all shards together and gives the documents in their order."""
    corpus.write(MANY, "arrayrecord", "train-{shard}.array_record", "--shards", SHARDS)
    paths = sorted(map(str, corpus.folder.glob("train-*")))
    assert len(paths) == SHARDS
    source = reader("grain.sources").ArrayRecordDataSource(paths)
    assert_same([parse(source[number]) for number in range(len(source))], MANY.documents)


def test_an_empty_part_beside_others(corpus, reader, parse):
    """A file without records adds none to the files beside it."""
    case = CASES["ordinary"]
    paths = [corpus.write(NOTHING["no document"], "arrayrecord", "a"), corpus.write(case, "arrayrecord", "b")]
    source = reader("grain.sources").ArrayRecordDataSource(list(map(str, paths)))
    assert_same([parse(source[number]) for number in range(len(source))], case.documents)


def test_windows(corpus, read):
    """With a context length the records are windows of it."""
    case = CASES["ordinary"]
    path = corpus.write(case, "arrayrecord", "train.array_record", "--context", 16, "--pack", "concat")
    assert_same(read(path), windows(case.documents, 16))


def test_less_than_a_window(corpus, read):
    """Without a whole window there is no record, and the file can be opened all the same."""
    path = corpus.write(SMALL, "arrayrecord", "train.array_record", "--context", 16, "--pack", "concat")
    assert read(path) == []


def test_the_session_of_the_documents(reader, tmp_path):
    """The session in docs/formats.md prints what is shown there."""
    reader("array_record.python.array_record_module")
    run_session("arrayrecord", tmp_path)
