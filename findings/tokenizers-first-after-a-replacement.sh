#!/bin/sh
# tokenizers 0.23.3: Metaspace with prepend_scheme "first", behind a normalizer that replaces the beginning of a text.
#
# Good guess: the first part of a text is first, whatever a normalizer makes of it; or at least as long as something
#             stands where the text began.
# Seen:       what replaces a match is counted to the match's last character. So behind Replace "x" -> "a" the text
#             "xb" gets its mark, and behind Replace "xx" -> "a" the text "xxb" does not. NFKC, which makes two letters
#             of one, leaves two characters at offset 0: a Split between them makes two parts that are both "first".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import tokenizers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers


def parts(normalizer, text):
    tokenizer = Tokenizer(models.Unigram([("?", 0.0)], 0, False))
    tokenizer.normalizer = normalizer
    first = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex("i"), "isolated"), first])
    return tokenizer.encode(text).tokens


seen = [
    parts(normalizers.Replace("x", "a"), "xb"),
    parts(normalizers.Replace("xx", "a"), "xxb"),
    parts(normalizers.NFKC(), "\ufb01b"),
]
print("tokenizers", tokenizers.__version__)
print(seen)
sys.exit(seen != [["\u2581ab"], ["ab"], ["\u2581f", "\u2581i", "b"]])
PYTHON
