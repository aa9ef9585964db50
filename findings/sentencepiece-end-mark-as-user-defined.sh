#!/bin/sh
# sentencepiece 0.2.1: a model with "</s>" among its user-defined symbols, so that text may hold it.
#
# Good guess: "</s>" in text becomes the id of the end mark, and eos_id() still tells which that is.
# Seen:       it becomes id 2, and eos_id() is -1. With add_eos the list of ids ends with -1, without an error: as an
#             unsigned number of 16 bits that is 65535, an id like any other.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check sentencepiece==0.2.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import sentencepiece

model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["the quick brown fox", "jumps over the lazy dog"] * 20),
    model_writer=model,
    vocab_size=40,
    hard_vocab_limit=False,
    user_defined_symbols=["</s>"],
    minloglevel=2,
)
processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
seen = [processor.encode("the</s>")[-1], processor.eos_id(), processor.encode("the", add_eos=True)]
print("sentencepiece", sentencepiece.__version__)
print("id of </s> in text, eos_id(), the with its end:", seen, processor.encode("the"))
sys.exit(seen != [2, -1, [*processor.encode("the"), -1]])
PYTHON
