#!/bin/sh
# tokenizers 0.23.3: with encode_special_tokens the text of a special token can still become its id.
#
# Good guess: encode_special_tokens = True makes text of special tokens ordinary text, so that no document can hold a
#             special id: what a crawl needs, where such an id ends a document for the trainer.
# Seen:       it turns off the search for special tokens alone. Where the text of one is also what merges make (a token
#             of the model's vocabulary that was declared special later), the model writes the same id.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import tokenizers
from tokenizers import Tokenizer, models

VOCABULARY = {"<": 0, "s": 1, ">": 2, "<s": 3, "<s>": 4}
tokenizer = Tokenizer(models.BPE(VOCABULARY, [("<", "s"), ("<s", ">")]))
tokenizer.add_special_tokens(["<s>"])
tokenizer.encode_special_tokens = True
ids = tokenizer.encode("<s>").ids
print("tokenizers", tokenizers.__version__)
print(f"special id {tokenizer.token_to_id('<s>')}; the text '<s>' as text: {ids}")
sys.exit(ids != [4])
PYTHON
