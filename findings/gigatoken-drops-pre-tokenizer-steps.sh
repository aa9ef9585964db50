#!/bin/sh
# gigatoken 0.10.0: of a tokenizer.json whose pre-tokenizer is Split by Llama-3's pattern, then Digits, then ByteLevel,
# it does not do the Digits.
#
# Good guess: a tokenizer.json that it loads without an error, it encodes as tokenizers does; a step that it does not
#             know is refused, as many are (an unknown pattern is a RuntimeError).
# Seen:       the pattern is known, so the file is accepted, and Digits is dropped in silence: "12" becomes one id where
#             tokenizers gives one for each digit. Text without numbers becomes the same ids.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check gigatoken==0.10.0 tokenizers==0.23.3
"$folder/venv/bin/python" - "$folder/tokenizer.json" <<'PYTHON'
import sys
from importlib.metadata import version

import gigatoken
from tokenizers import Regex, Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
pieces = [*sorted(ByteLevel.alphabet()), "12", "ab"]
bpe = models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[("1", "2"), ("a", "b")])
reference = Tokenizer(bpe)
reference.pre_tokenizer = Sequence(
    [Split(Regex(LLAMA_3), "isolated"), Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=False)]
)
reference.save(sys.argv[1])
fast = gigatoken.Tokenizer(sys.argv[1])

print("gigatoken", version("gigatoken"), "tokenizers", version("tokenizers"))
seen = []
for text in ("ab", "12"):
    ids = reference.encode(text).ids, [int(i) for i in fast.encode(text)]
    print(f"{text!r}: tokenizers {ids[0]}, gigatoken {ids[1]}")
    seen.append(ids)
one, two, pair, word = (pieces.index(piece) for piece in ("1", "2", "12", "ab"))
sys.exit(seen != [([word], [word]), ([one, two], [pair])])
PYTHON
