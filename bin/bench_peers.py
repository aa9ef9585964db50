#!/usr/bin/env python3
"""Raw JSON lines to training files on one core, beside datatrove and Megatron-LM: documents a second, in one run.

usage: bench_peers.py MODEL TEXT --peers PYTHON [--megabytes M] [--rounds N]

MODEL is a SentencePiece Unigram model. PYTHON is the interpreter of an environment with datatrove, tokenizers,
humanize, orjson and sentencepiece, and with megatron-core (--no-deps; torch is stood in for).

- datatrove: its JSON reader and DocumentTokenizer in one local task, with the model as a tokenizer.json.
- Megatron: what its preprocess_data.py does to each line (json.loads, the tokenizer, add_document), in one process.
  The script itself gives lines to a pool of processes, which on one core only costs.

Each side is pinned to one core, works on the same documents, and is timed inside, after its model is loaded; the time
of `corpus` holds the loading.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from bench_formats import CORPUS, documents_of

DATATROVE = """
import sys, time
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
folder, out, tokenizer = sys.argv[1:]
writer = DocumentTokenizer(out, tokenizer_name_or_path=tokenizer, eos_token="</s>", shuffle_documents=False)
writer.tokenizer  # loads it
began = time.perf_counter()
LocalPipelineExecutor([JsonlReader(folder), writer], tasks=1, workers=1, logging_dir=out + "/log").run()
print(time.perf_counter() - began)
"""
MEGATRON = """
import json, sys, time
sys.path.insert(0, sys.argv.pop(1))
from readers.standins import numpy_torch
numpy_torch.install()
import numpy, sentencepiece
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
source, out, model = sys.argv[1:]
processor = sentencepiece.SentencePieceProcessor(model_file=model)
began = time.perf_counter()
builder = IndexedDatasetBuilder(out + "/x.bin", dtype=numpy.int32)
with open(source, encoding="utf-8") as lines:
    for line in lines:
        ids = processor.encode(json.loads(line)["text"])
        ids.append(processor.eos_id())
        builder.add_document(ids, [len(ids)])
builder.finalize(out + "/x.idx")
print(time.perf_counter() - began)
"""


def tokenizer_json(model):
    """The model as a tokenizer.json, as the converter of transformers makes it."""
    import sentencepiece

    from corpustools.stages.tokenize.models.wire import BYTES, message

    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    with open(model, "rb") as file:
        normalizer = message(file.read(), "model", {3: BYTES})[3]
    rules = message(normalizer, "normalizer", {2: BYTES}).get(2, b"")
    steps = [{"type": "Precompiled", "precompiled_charsmap": base64.b64encode(rules).decode()}] if rules else []
    steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    vocabulary = [[processor.id_to_piece(i), processor.get_score(i)] for i in range(processor.get_piece_size())]
    end = {"id": processor.eos_id(), "content": "</s>", "single_word": False, "lstrip": False, "rstrip": False}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [{**end, "normalized": False, "special": True}],
            "normalizer": {"type": "Sequence", "normalizers": steps},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
            "model": {"type": "Unigram", "unk_id": processor.unk_id(), "vocab": vocabulary, "byte_fallback": False},
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--peers", required=True, metavar="PYTHON")
    parser.add_argument("--megabytes", type=float, default=16.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    tests = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        documents = documents_of(options.text, int(options.megabytes * 1e6))
        os.mkdir(os.path.join(folder, "in"))
        source, out = os.path.join(folder, "in", "x.jsonl"), os.path.join(folder, "out")
        tokenizer = os.path.join(folder, "tokenizer.json")
        with open(source, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"id": str(i), "text": one}) + "\n" for i, one in enumerate(documents))
        with open(tokenizer, "w", encoding="utf-8") as file:
            file.write(tokenizer_json(options.model))
        ours = [*CORPUS, "tokenize", "-q", "-j", "1", "-m", options.model, "--field", "text", "--eos", source]
        sides = {
            "corpus, datatrove": [*ours, "-f", "datatrove", "-o", os.path.join(out, "x")],
            "datatrove": [options.peers, "-c", DATATROVE, os.path.dirname(source), out, tokenizer],
            "corpus, megatron": [*ours, "-f", "megatron", "-o", os.path.join(out, "x")],
            "megatron": [options.peers, "-c", MEGATRON, tests, source, out, options.model],
        }
        best = dict.fromkeys(sides, float("inf"))
        for _ in range(options.rounds):
            for name, command in sides.items():
                shutil.rmtree(out, ignore_errors=True)
                os.mkdir(out)
                began = time.perf_counter()
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.exit(f"{name}: {done.stderr}")
                own = name.startswith("corpus")
                best[name] = min(best[name], time.perf_counter() - began if own else float(done.stdout.split()[-1]))
        for name, seconds in best.items():
            print(f"{name:20} {seconds:8.2f} s {len(documents) / seconds:10.0f} documents/s")
        for peer in ("datatrove", "megatron"):
            print(f"corpus beside {peer}: {best[peer] / best[f'corpus, {peer}']:.1f} x")


if __name__ == "__main__":
    main()
