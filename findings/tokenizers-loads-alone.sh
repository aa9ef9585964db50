#!/bin/sh
# tokenizers 0.23.3: no Python thread runs while a tokenizer.json is loaded, in whatever thread that is done.
#
# Good guess: encode_batch lets the other threads run, so from_str does too; a model that is loaded in a thread of its
#             own costs the others nothing but a processor.
# Seen:       a second thread, which only sleeps a millisecond at a time, stands still for nearly the whole of the load.
#             Only a process of its own loads beside other work.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import json
import string
import sys
import threading
import time
from itertools import product

import tokenizers

letters = string.ascii_letters
pairs = [a + b for a, b in product(letters, repeat=2)]
pieces = [*letters, *pairs, *(pair + c for pair, c in product(pairs, letters))]
merges = [[piece[:-1], piece[-1]] for piece in pieces if len(piece) > 1]
model = {"type": "BPE", "vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": merges}
text = json.dumps({"version": "1.0", "added_tokens": [], "model": model})
took = []


def load():
    began = time.perf_counter()
    tokenizers.Tokenizer.from_str(text)
    took.append(time.perf_counter() - began)


worker = threading.Thread(target=load)
longest, last = 0.0, time.perf_counter()
worker.start()
while worker.is_alive():
    time.sleep(0.001)
    longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
print("tokenizers", tokenizers.__version__)
print(f"loading {len(pieces):,} pieces took {took[0]:.2f} s; the other thread stood still for {longest:.2f} s of it")
sys.exit(longest < 0.5 * took[0])
PYTHON
