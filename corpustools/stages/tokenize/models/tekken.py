"""Mistral's tekken.json: ranks in base64 with the pattern of their cuts, behind a block of special ids."""

from __future__ import annotations

import binascii
import re
from typing import Any

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.models.ranks import pre_tokenizer, ranked_model

# Up to version 7 the library knows the first special tokens, and a file need not name them.
_NAMED_UNTIL = 7
_NAMES = [
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"),
    *("[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
]
_ROLES = {"bos": "<s>", "eos": "</s>", "pad": "<pad>"}
# tiktoken's engine and that of tokenizer.json read these differently: ends of lines, words, their edges.
_READ_DIFFERENTLY = re.compile(r"(?<![\[\\])\^|(?<!\\)\$|\\[wWbBdDhHAzZGRX]")
_REMEDY = "give the tokenizer.json made from it"


def parse(content: dict[str, Any], name: str) -> Model:
    """Return the model of a tekken.json object.

    Raises:
        DataError: a malformed object, or one that contradicts itself.
        UnsupportedModel: a pattern that is not done here.
    """
    try:
        return _parse(content)
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{name}: {error.what}", error.remedy or _REMEDY) from error
    except DataError as error:
        raise DataError(f"{name}: {error.what}", error.remedy) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{name} is malformed ({type(error).__name__}: {error})") from error


def _parse(content: dict[str, Any]) -> Model:
    config = content["config"]
    size, reserved = config["default_vocab_size"], config["default_num_special_tokens"]
    if type(size) is not int or type(reserved) is not int or not 0 <= reserved <= size - 256:
        raise DataError(f"default_vocab_size is {size!r} and default_num_special_tokens {reserved!r}")
    pattern = config["pattern"]
    if not isinstance(pattern, str) or _READ_DIFFERENTLY.search(pattern):
        raise UnsupportedModel(f"the pattern {pattern!r} has what its two engines read differently")
    names = _special(content, reserved)
    return ranked_model(
        "tekken",
        _pieces(content["vocab"], size - reserved, reserved),
        dict(enumerate(names)),
        {role: names.index(text) for role, text in _ROLES.items() if text in names},
        pre_tokenizer(pattern),
    )


def _pieces(rows: Any, count: int, first: int) -> dict[int, bytes]:
    """Return the pieces of the first `count` ranks by id; a file has more than its model uses."""
    if not isinstance(rows, list) or len(rows) < count:
        raise DataError(f"the vocabulary has fewer than the {count:,} ranks that its sizes ask for")
    pieces: dict[int, bytes] = {}
    ranks: dict[bytes, int] = {}
    for rank, row in enumerate(rows[:count]):
        if row["rank"] != rank:
            raise DataError(f"entry {rank} of the vocabulary has the rank {row['rank']!r}")
        try:
            piece = binascii.a2b_base64(row["token_bytes"], strict_mode=True)
        except ValueError as error:
            raise DataError(f"rank {rank}: {row['token_bytes']!r} is not base64 ({error})") from error
        if not piece or ranks.setdefault(piece, rank) != rank:
            what = f"that of rank {ranks[piece]} again" if piece else "empty"
            raise DataError(f"the piece of rank {rank} is {what}")
        pieces[first + rank] = piece
    return pieces


def _special(content: dict[str, Any], reserved: int) -> list[str]:
    """Return the texts of the special ids; those that have no name are <SPECIAL_n>."""
    rows = content.get("special_tokens")
    if rows is None:
        version = str(content["config"].get("version", ""))
        number = version.removeprefix("v")
        if not number.isdecimal() or int(number) > _NAMED_UNTIL:
            raise DataError(f"the file names no special tokens, which version {version!r} has to")
        names = _NAMES[:reserved]
    else:
        if [row["rank"] for row in rows] != list(range(len(rows))) or len(rows) > reserved:
            raise DataError(f"the special tokens are not numbered 0, 1, 2 … below {reserved}")
        names = [str(row["token_str"]) for row in rows]
    names = names + [f"<SPECIAL_{n}>" for n in range(len(names), reserved)]
    if len(set(names)) < len(names):
        raise DataError("a special token stands twice")
    return names
