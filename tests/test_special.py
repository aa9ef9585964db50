"""Text that looks like a special token: what the libraries make of it, what text mode makes of it, who is told."""

import base64
import json
import pickle
import unicodedata
from functools import cache

import pytest
import sentencepiece
from harness import needs_speed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spm_files import CONTROL, NORMAL, UNKNOWN, USER_DEFINED, shipped_charsmap, spm_model

import corpustools
from corpustools.errors import DataError, UnsupportedModel, UsageError
from corpustools.formats import FORMATS, writer_class
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.models.plain_text import from_scores
from corpustools.stages.tokenize.pipeline import Pipeline
from corpustools.stages.tokenize.request import TokenizeRequest
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.tokenizer import Tokenizer

tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

SPECIAL = ["<pad>", "</s>", "<unk>", "<|endoftext|>"]
FULL_WIDTH = ["\uff1c/s\uff1e", "\uff1cunk\uff1e"]
TEXTS = st.lists(
    st.sampled_from([*SPECIAL, *FULL_WIDTH, *"ab </>|s", "unk", "\u2603", "Zé", "<sep>", "\u2581"])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


def renamed(text):
    """Return a name that no text of these tests holds."""
    return "\U0010fffd" + base64.b32encode(text.encode()).decode()


def unigram(name=str, *, normalizer=None, byte_fallback=False, added=SPECIAL[:3], more=()):
    """Return a tokenizer.json whose vocabulary has the special tokens as pieces; `name` may rename them."""
    vocab = [[name(text), 0.0] for text in SPECIAL[:3]]
    vocab += [[c, -2.0 - 0.37 * i] for i, c in enumerate(["\u2581", *"ab</s>u", "ab", "</", "s>", "un", "nk", "a<"])]
    if byte_fallback:
        vocab += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    places = {token: i for i, (token, _) in enumerate(vocab)}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "special": True, "normalized": False}
    tokens = [{"id": places[name(text)], "content": name(text)} for text in added]
    tokens += [{"id": len(vocab) + i, "content": text, "special": False} for i, text in enumerate(["<sep>", *more])]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [flags | token for token in tokens],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab, "byte_fallback": byte_fallback},
    }


def byte_level(special=("<|endoftext|>",)):
    """Return a byte-level BPE vocabulary with pieces for parts of the special token's text."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "special": True, "normalized": False}
    vocab = {c: i for i, c in enumerate([*sorted(byte_alphabet()), "<|", "|>", "end", *special])}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocab[text], "content": text} | flags for text in special],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocab, "merges": [], "unk_token": None, "byte_fallback": False},
    }


def bpe():
    """Return a BPE vocabulary of characters with an unknown token, which is an added token too."""
    content = byte_level()
    vocab = {c: i for i, c in enumerate(["<unk>", "</s>", *"ab </>|sunk", "</", "s>"])}
    flags = content["added_tokens"][0]
    content["added_tokens"] = [flags | {"id": vocab[text], "content": text} for text in ("<unk>", "</s>")]
    content["model"] = content["model"] | {"vocab": vocab, "unk_token": "<unk>", "fuse_unk": False}
    return content | {"pre_tokenizer": None, "decoder": {"type": "Fuse"}}


def sentencepiece_model(kind):
    """Return a model whose end of a text is a piece of a kind: a user-defined one is what text can become."""
    special = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, kind)]
    pieces = [(c, -1.0 - 0.31 * i, NORMAL) for i, c in enumerate(["\u2581", *"ab</>s", "ab", "</", "s>", "/s"])]
    pieces += [("<sep>", 0.0, USER_DEFINED), ("</s>a", 0.0, USER_DEFINED), ("<pad>", -1.5, NORMAL)]
    return spm_model(pieces, normalizer=[(2, shipped_charsmap("nmt_nfkc"))], special=special)


def bytepiece():
    """Return a bytepiece model with pieces of the special tokens' text, which are pieces like others."""
    words = [bytes([byte]) for byte in range(256)] + [text.encode() for text in SPECIAL]
    return {base64.b64encode(w).decode(): [i + 3, w.decode("latin-1"), 5] for i, w in enumerate(words)}


def load(content, special="library"):
    return loaded(content if isinstance(content, bytes) else json.dumps(content).encode(), special)


@cache
def loaded(data, special):
    return Tokenizer(parse(data, "m"), special=special)


@cache
def unigram_pair(normalized, byte_fallback):
    """Return ours in text mode, and the library with special tokens of a name that no text has."""
    options = {"normalizer": {"type": "NFKC"} if normalized else None, "byte_fallback": byte_fallback}
    peer = tokenizers.Tokenizer.from_str(json.dumps(unigram(renamed, **options)))
    return load(unigram(**options), "text"), peer


# ------------------------------------------------------------------------------------------------ what is special


def test_special_ids_of_every_kind_of_model():
    """Names of roles, control pieces, special added tokens; byte pieces and user-defined symbols are none."""
    assert load(sentencepiece_model(CONTROL)).special_ids == {0, 1, 2}
    # A user-defined piece with the name of the end stands for the end; the library has no eos then, as before.
    assert load(sentencepiece_model(USER_DEFINED)).special_ids == {0, 1, 2}
    assert load(sentencepiece_model(USER_DEFINED)).eos_id is None
    assert load(bytepiece()).special_ids == {0, 1, 2}
    assert load(unigram(byte_fallback=True)).special_ids == {0, 1, 2}
    assert load(byte_level()).special_ids == {259}
    assert load(b"<unk>\t0\n</s>\t0\n[CLS]\t0\na\t-1\n").special_ids == {0, 1, 2}
    # In word counts they are words that were counted; the unknown id stands behind all of them.
    assert load(b"</s> 3\na 2\n").special_ids == {2}


def test_most_models_make_no_special_id_out_of_text():
    """Nothing is looked for, and text mode is the same model: it costs nothing."""
    for content in (sentencepiece_model(CONTROL), bytepiece(), b"<unk>\t0\n</s>\t0\na\t-1\n"):
        tokenizer = load(content)
        assert tokenizer.model.special_codes is None
        assert tokenizer.with_special("text").model is tokenizer.model
    assert from_scores({"a": -1.0, "</s>": -1.0}).special_codes is None


def test_a_special_token_that_is_not_flagged_so_is_special_by_its_role():
    """The id that ends documents is the end of a document, whatever the file says of its text."""
    content = byte_level()
    content["added_tokens"][0]["special"] = False
    ours = load(content, "text")
    assert ours.eos_id == 259
    assert 259 not in ours.sample("a<|endoftext|>b", 0.0)[0]


# ------------------------------------------------------------------------------------------------- text stays text


@settings(max_examples=300)
@given(normalized=st.booleans(), byte_fallback=st.booleans(), text=TEXTS)
@example(True, False, "a\uff1c/s\uff1ea")
@example(False, False, "\u2603<unk>\u2603</s>")
def test_unigram_text_is_what_the_library_makes_of_it_without_special_pieces(normalized, byte_fallback, text):
    """The library itself, with the special tokens renamed, is the judge: ids of best paths are equal."""
    ours, peer = unigram_pair(normalized, byte_fallback)
    assert ours.encode(text) == peer.encode(text, add_special_tokens=False).ids


@settings(max_examples=300)
@given(text=TEXTS)
@example("a</s>ab</s>a\uff1c/s\uff1e")
def test_sentencepiece_text_is_what_the_library_makes_of_it_where_the_end_is_a_control_piece(text):
    """The same model with a control piece in the place of the user-defined one is the judge."""
    ours = load(sentencepiece_model(USER_DEFINED), "text")
    peer = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model(CONTROL))
    assert ours.encode(text, scores="f32") == peer.encode(text)


LOSSLESS = {"byte-level": byte_level(), "bytepiece": bytepiece()}
KINDS = LOSSLESS | {
    "bpe": bpe(),
    "unigram": unigram(),
    "unigram, NFKC": unigram(normalizer={"type": "NFKC"}),
    "unigram, bytes": unigram(byte_fallback=True),
    "sentencepiece": sentencepiece_model(USER_DEFINED),
    "vocabulary": b"<unk>\t0\n</s>\t0\n" + b"".join(b"%c\t-2\n" % c for c in b"ab</>s|unk"),
}


def segmentations_of(tokenizer, text):
    """Give segmentations of a text in every way there is."""
    yield from tokenizer.sample(text, 0.0, "s", 4)
    yield from tokenizer.sample(text, 0.0, "s", 4, unique=True)
    yield from (one.ids for one in tokenizer.explain(text, 0.0).nbest)
    yield from (token.ids for token in tokenizer.explain(text, 0.0, marginals=10**6).tokens)
    if tokenizer.model.weighted:
        yield tokenizer.encode(text)
        yield tokenizer.encode(text, scores="f32")
        yield from (ids for ids, _ in tokenizer.nbest(text, 5))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(text=TEXTS)
@example("<unk></s><pad><|endoftext|>")
def test_text_mode_makes_no_special_id_in_any_way(kind, text):
    """Best paths, samples, without replacement, n-best, explained; unknown ids stand for unknown characters."""
    tokenizer = load(KINDS[kind], "text")
    unknown = tokenizer.unk_id
    for ids in segmentations_of(tokenizer, text):
        assert not (tokenizer.special_ids - {unknown}) & set(ids)
    if text.isascii() and not set(text) - set("ab</>s"):
        assert all(unknown not in ids for ids in segmentations_of(tokenizer, text))


@pytest.mark.parametrize("kind", LOSSLESS)
@settings(max_examples=100)
@given(text=TEXTS)
@example("a<|endoftext|><|endoftext|>")
def test_text_mode_gives_the_text_back(kind, text):
    """Decoding leaves special tokens out, so this holds only where the text made none."""
    tokenizer = load(KINDS[kind], "text")
    wanted = unicodedata.normalize("NFC", text) if kind == "bytepiece" else text
    assert tokenizer.decode(tokenizer.sample(text, 0.0, "s")[0]) == wanted


def test_what_overlaps_with_a_special_token_is_not_found_as_in_the_library():
    """The library finds a special token and passes over it; a shorter one that begins in it is not looked for."""
    content = byte_level(["<sep>x"])
    added = content["added_tokens"][0]
    content["added_tokens"].append(added | {"id": 260, "content": "<sep>", "special": False})
    peer = tokenizers.Tokenizer.from_str(json.dumps(content))
    peer.encode_special_tokens = True
    ours = load(content, "text")
    assert ours.special_ids == {259}
    for text, count in (("<sep>xa", 0), ("a<sep><sep>x", 1), ("<sep>", 1)):
        theirs, mine = peer.encode(text).ids, ours.sample(text, 0.0)[0]
        assert (theirs.count(259), theirs.count(260)) == (mine.count(259), mine.count(260)) == (0, count)


def test_a_byte_that_only_a_special_token_can_write_is_refused_by_name():
    """Without its piece some text would have no segmentation."""
    content = byte_level()
    letters = [[c, -3.0] for c in sorted(byte_alphabet())]
    content["model"] = {"type": "Unigram", "unk_id": None, "vocab": letters, "byte_fallback": False}
    place = [c for c, _ in letters].index("a")
    content["added_tokens"] = [content["added_tokens"][0] | {"id": place, "content": "a"}]
    assert load(content).encode("ba")[1] == place
    with pytest.raises(UnsupportedModel, match="'a' is the only piece for a byte"):
        load(content, "text")


def test_a_tokenizer_keeps_its_way_with_special_tokens():
    """It is chosen at loading, copied in pickles, shown, and changed back."""
    ours = load(unigram(), "text")
    assert "special='text'" in repr(ours)
    again = pickle.loads(pickle.dumps(ours))
    assert (again.special, again.encode("</s>")) == ("text", ours.encode("</s>"))
    assert again.with_special("library").encode("</s>") == [1]
    with pytest.raises(UsageError, match="accepted are library and text"):
        load(unigram(), "error")


# ------------------------------------------------------------------------------------------------- who is counted


@settings(max_examples=200)
@given(texts=st.lists(TEXTS, max_size=6), bos=st.booleans(), eos=st.booleans())
def test_the_documents_counted_are_those_whose_text_became_special(texts, bos, eos):
    """An unknown character is no special token, nor are the ids that were asked for around a text."""
    content = unigram(normalizer={"type": "NFKC"})
    content["model"]["vocab"][0][0] = content["added_tokens"][0]["content"] = "<s>"
    tokenizer = load(content)
    pipeline = Pipeline(tokenizer, TokenizeRequest(bos=bos, eos=eos, format="u32"))
    data = [text.replace("\n", "") for text in texts]
    found = pipeline.output_of(batch_of(data)).special
    holds = [any(s in unicodedata.normalize("NFKC", text) for s in ("<s>", "</s>", "<unk>")) for text in data]
    assert found.documents == sum(holds)
    if any(holds):
        assert found.place == f"input: record {holds.index(True) + 1}"


def batch_of(texts):
    from corpustools.files.batches import cut_records
    from corpustools.files.chunks import RecordFormat

    return cut_records("".join(text + "\n" for text in texts).encode(), 0, RecordFormat())


def test_formats_that_training_reads_are_known():
    """Ids, pieces and objects on lines are for people and pipes; every other format is read as it is."""
    assert {name for name in FORMATS if not writer_class(name).trains} == {"ids", "pieces", "jsonl"}


def test_every_segmentation_counts_for_itself():
    """Samples and n-best are documents of their own; the first one's record is named."""
    tokenizer = load(unigram())
    texts = ["a", "a</s>", "ab", "b</s></s>"]
    for options in (
        {"mode": "sample", "samples": 3},
        {"mode": "sample", "samples": 3, "unique": True},
        {"mode": "viterbi-sampling", "samples": 3},
        {"nbest": 3},
        {"nbest": 3, "format": "jsonl", "columns": ("score", "pieces")},
    ):
        found = Pipeline(tokenizer, TokenizeRequest(**options)).output_of(batch_of(texts)).special
        single = options.get("nbest") or options.get("unique")
        # A token that is found before the model leaves one segmentation of each of these texts.
        assert (found.documents, found.place, found.token) == (2 if single else 6, "input: record 2", "</s>")


def test_text_mode_and_error_mode_of_a_run(folder):
    """The request's way counts, whatever the tokenizer was loaded with; None keeps the tokenizer's."""
    path = folder.path / "m.json"
    path.write_text(json.dumps(unigram()))
    folder.write("a.txt", b"a\nb</s>\n</s>\n")
    inputs, out = folder.path / "a.txt", folder.path / "o"

    def tokens(model, **options):
        result = corpustools.tokenize(model, inputs, out, **options)
        return out.read_bytes(), result.special, result.first_special

    first = (f"{inputs}: record 2", "</s>")
    library, text = tokens(path), tokens(path, special="text")
    assert library == (b"4\n5 1\n1\n", 2, first)
    assert text == (b"4\n5 12 13\n12 13\n", 0, None)
    loaded = Tokenizer.load(path, special="text")
    assert tokens(loaded) == text
    assert tokens(loaded, special="library") == library
    with pytest.raises(DataError, match=r"a.txt: record 2 holds text that becomes the special token '</s>'"):
        tokens(loaded, special="error")
    assert out.read_bytes() == library[0], "the old output stays"
    with pytest.raises(UsageError, match="library, text, error"):
        tokens(path, special="ignore")


@needs_speed
def test_a_record_in_fragments_counts_once_and_stays_text(folder):
    """A line of 5 MiB with the end's text at every place, also across fragments, goes through in parts."""
    path = folder.path / "m.model"
    path.write_bytes(sentencepiece_model(USER_DEFINED))
    line = b"ab</s>b " * 650_000
    folder.write("a.txt", b"a\n" + line + b"\na\n")
    for special, count in (("library", 1), ("text", 0)):
        result = corpustools.tokenize(
            path, folder.path / "a.txt", folder.path / "o", format="u16", special=special, scores="f32"
        )
        tokenizer = Tokenizer.load(path, special=special)
        assert result.special == count
        wanted = [i for text in (b"a", line, b"a") for i in tokenizer.encode(text, scores="f32")]
        assert folder.read("o") == b"".join(i.to_bytes(2, "little") for i in wanted)
        assert (2 in wanted) == bool(count)
    assert corpustools.tokenize(path, folder.path / "a.txt", folder.path / "o").first_special == (
        f"{folder.path / 'a.txt'}: record 2", "</s>",
    )  # fmt: skip
    with pytest.raises(DataError, match="record 2 holds text"):
        corpustools.tokenize(path, folder.path / "a.txt", folder.path / "o", special="error")


# -------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def room(folder):
    """Return a folder with a model, and two files that hold the end's text in their second lines."""
    folder.write("m.json", json.dumps(unigram(normalizer={"type": "NFKC"})).encode())
    folder.write("a.txt", b"a\nb\nZ\n")
    folder.write("b.txt", "a\nb\uff1c/s\uff1e\n<unk>a\n".encode())
    return folder


def test_the_command_tells_where_training_is_written(room):
    """A warning for formats that training reads, a count for all; JSON and the manifest have both."""
    told = room.corpus("tokenize", "-m", "m.json", "a.txt", "b.txt", "-f", "u16", "-o", "o", "--eos").ok()
    warning, summary = told.stderr.splitlines()
    assert warning.startswith("warning: b.txt: record 2 and 1 more: text became the special token '</s>'")
    assert summary.endswith(", 2 documents with special tokens made of text")
    told = room.corpus("tokenize", "-m", "m.json", "a.txt", "b.txt", "--manifest", "j").ok()
    assert told.stderr.count("\n") == 1
    assert "2 documents with special tokens" in told.stderr
    manifest = json.loads(room.read("j"))
    assert (manifest["special"], manifest["first_special"]) == (2, ["b.txt: record 2", "</s>"])
    told = room.corpus("tokenize", "-m", "m.json", "b.txt", "-f", "npy", "-o", "o.npy", "--progress", "json").ok()
    events = [json.loads(line) for line in told.stderr.splitlines()]
    assert [(one["event"], one.get("special")) for one in events] == [("warning", None), ("done", 2)]


def test_the_command_keeps_text_or_stops(room):
    """text makes other ids and no noise; error names file and record and leaves no output."""
    told = room.corpus("tokenize", "-m", "m.json", "a.txt", "b.txt", "--special", "text", "-f", "u16", "-o", "o").ok()
    assert "special" not in told.stderr
    ids = memoryview(room.read("o")).cast("H").tolist()
    assert (ids.count(1), ids.count(2)) == (0, 1), "Z is unknown, and the text of <unk> is not"
    told = room.corpus("tokenize", "-m", "m.json", "a.txt", "b.txt", "--special", "error", "-o", "new")
    told.failed(1, "b.txt: record 2", "'</s>'")
    assert "new" not in room.names()


def test_json_lines_and_threads_count_the_same(room):
    """Lines that are passed over move no record, and threads change neither the count nor the first one."""
    lines = b'{"t": "a"}\n\n' * 20 + b'{"t": "a", "more": "%s"}\n' % (b"x" * 40_000) * 60
    lines += b'{"t": "x</s>"}\n\n{"t": "<unk>"}\n'
    room.write("a.jsonl", lines)
    for workers in (1, 4):
        told = room.corpus(
            "tokenize", "-m", "m.json", "a.jsonl", "--field", "t", "-j", workers, "-f", "u16", "-o", "o", "-q",
            "--manifest", "j",
        ).ok()  # fmt: skip
        manifest = json.loads(room.read("j"))
        assert (manifest["special"], manifest["first_special"]) == (2, ["a.jsonl: record 101", "</s>"])
        assert told.stderr == ""


def test_verify_holds_an_output_against_the_way_it_was_made(room):
    """Both ways agree with themselves, unknown characters among the texts, and neither with the other."""
    for special, other in (("library", "text"), ("text", "library")):
        options = ("-m", "m.json", "--eos", "-f", "u16")
        room.corpus("tokenize", *options, "a.txt", "b.txt", "-o", "o", "--special", special, "-q").ok()
        verify = ("verify", "o", *options, "--source", "a.txt", "b.txt", "--special")
        room.corpus(*verify, special).ok()
        room.corpus(*verify, other).failed(1, "differs from b.txt: record")
    room.corpus("verify", "o", "--source", "a.txt", "--special", "text").failed(2, "special tokens as text")


def test_explain_shows_both_ways(room):
    """The same option as the tokenizer's shows what becomes of a text."""
    ids = {}
    for special in ("library", "text"):
        told = room.corpus("explain", "-m", "m.json", "-f", "json", "--special", special, "b</s>").ok()
        ids[special] = json.loads(told.stdout)["best"]["ids"]
    assert ids == {"library": [5, 1], "text": [5, 12, 13]}
