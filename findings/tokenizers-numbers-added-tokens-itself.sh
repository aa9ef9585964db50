#!/bin/sh
# tokenizers 0.23.3: the ids of added_tokens in a tokenizer.json.
#
# Good guess: a token has the id that the file gives it, or the file is refused.
# Seen:       the ids are not used: a token that is no piece of the model gets the next id behind the vocabulary, in
#             the order of the file. Gaps close and swapped ids swap back; no error is raised.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys

import tokenizers

flags = {"single_word": False, "lstrip": False, "rstrip": False, "special": True, "normalized": False}
content = {
    "version": "1.0",
    "added_tokens": [{"id": i, "content": text} | flags for i, text in ((900, "<b>"), (0, "a"), (500, "<a>"))],
    "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]]},
}
tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content))
ids = tokenizer.encode("<b>a<a>").ids
print("tokenizers", tokenizers.__version__)
print(f"the file gives <b> 900, a 0 and <a> 500; encoded {ids}")
sys.exit(ids != [2, 1, 3])
PYTHON
