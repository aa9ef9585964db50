"""tiktoken rank files: lines of base64 and rank. How text is cut stands in no such file, so that it has to be known."""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.models.ranks import pre_tokenizer, ranked_model

CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN = CL100K.replace("{1,3}", "")
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class RankFile:
    """What a published rank file leaves to its library.

    name: what the file is known by.
    pattern: of the cuts, in the spelling of tokenizer.json; None: GPT-2's.
    special: the special tokens, by text.
    nfc: text is brought to Unicode's normal form C first.
    bos, eos: the texts of these special tokens.
    """

    name: str
    pattern: str | None
    special: dict[str, int]
    nfc: bool = False
    bos: str = ""
    eos: str = "<|endoftext|>"


def _llama_special() -> dict[str, int]:
    head = ["begin_of_text", "end_of_text", *(f"reserved_special_token_{n}" for n in range(4))]
    head += ["start_header_id", "end_header_id", "reserved_special_token_4", "eot_id"]
    texts = [*head, *(f"reserved_special_token_{n}" for n in range(5, 251))]
    return {f"<|{text}|>": 128_000 + n for n, text in enumerate(texts)}


# By the SHA-256 of the ranks, see `digest`: that of the published file. tiktoken spells the patterns of cl100k_base
# and r50k_base with `\s++$` for what ends a text. That cuts elsewhere only within white space behind the last newline
# of a text, where no piece of cl100k_base reaches across the cut.
KNOWN = {
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930": RankFile(
        "r50k_base (GPT-2)", None, {"<|endoftext|>": 50_256}
    ),
    "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069": RankFile(
        "p50k_base", None, {"<|endoftext|>": 50_256}
    ),
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": RankFile(
        "cl100k_base",
        CL100K,
        {
            "<|endoftext|>": 100_257,
            "<|fim_prefix|>": 100_258,
            "<|fim_middle|>": 100_259,
            "<|fim_suffix|>": 100_260,
            "<|endofprompt|>": 100_276,
        },
    ),
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": RankFile(
        "o200k_base", O200K, {"<|endoftext|>": 199_999, "<|endofprompt|>": 200_018}
    ),
    "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55": RankFile(
        "Llama-3", CL100K, _llama_special(), bos="<|begin_of_text|>", eos="<|end_of_text|>"
    ),
    "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186": RankFile(
        "Qwen", QWEN, {"<|endoftext|>": 151_643, "<|im_start|>": 151_644, "<|im_end|>": 151_645}, nfc=True
    ),
    "b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126": RankFile(
        "Whisper multilingual", None, {"<|endoftext|>": 50_257}
    ),
}
_REMEDY = f"give the model's tokenizer.json; known rank files are {', '.join(known.name for known in KNOWN.values())}"
_FIRST_LINES = re.compile(rb"(?:[A-Za-z0-9+/]+=* \d+\r?\n){3}")
_MANY_LINES = re.compile(rb"(?:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[A-Za-z0-9+/=]=)? \d+\r?\n){8}")
_LARGEST_RANK = 1 << 31


def recognises(data: bytes) -> bool:
    """Say whether a file begins as rank files do: with base64 and rank 0, or with eight ranks that count on.

    Lists of words with their counts look much the same, but no count is 0, and base64 has a multiple of four letters.
    """
    if _FIRST_LINES.match(data) and data.split(b"\n", 1)[0].rstrip().endswith(b" 0"):
        return True
    found = _MANY_LINES.match(data)
    if not found:
        return False
    ranks = [int(line.split()[1]) for line in found.group().splitlines()]
    return ranks == list(range(ranks[0], ranks[0] + len(ranks)))


def parse(data: bytes, name: str) -> Model:
    """Return the model of a rank file.

    Raises:
        DataError: a line is damaged, or defines a piece or a rank again; the text names the line.
        UnsupportedModel: the ranks are of no known file.
    """
    known = KNOWN.get(hashlib.sha256(data).hexdigest())
    if known:
        # Known to the byte, so that nothing is looked for in its lines.
        rows = data.split()
        ranks = dict(zip(map(int, rows[1::2]), map(binascii.a2b_base64, rows[::2]), strict=True))
    else:
        ranks = read_ranks(data, name)
        known = KNOWN.get(digest(ranks))
    if known is None:
        raise UnsupportedModel(
            f"{name} is a tiktoken file of {len(ranks):,} ranks ({min(ranks)} to {max(ranks)}), which does not say how "
            "text is cut, and is none that is known here",
            _REMEDY,
        )
    roles = {"bos": known.bos, "eos": known.eos}
    return ranked_model(
        "tiktoken",
        ranks,
        {i: text for text, i in known.special.items()},
        {role: known.special[text] for role, text in roles.items() if text},
        pre_tokenizer(known.pattern),
        nfc=known.nfc,
    )


def read_ranks(data: bytes, name: str) -> dict[int, bytes]:
    """Return the piece of each rank of a rank file.

    Raises:
        DataError: see `parse`.
    """
    ranks: dict[int, bytes] = {}
    lines: dict[bytes, int] = {}
    for number, line in enumerate(data.split(b"\n"), start=1):
        parts = line.split()
        if not parts:
            continue
        rank = int(parts[1]) if len(parts) == 2 and parts[1].isdigit() and len(parts[1]) < 11 else _LARGEST_RANK
        if rank >= _LARGEST_RANK:
            raise DataError(f"{name}, line {number}: {_shown(line)} is not base64 and a rank")
        try:
            # Whisper writes its empty piece as the padding alone.
            piece = b"" if parts[0] == b"=" else binascii.a2b_base64(parts[0], strict_mode=True)
        except ValueError as error:
            raise DataError(f"{name}, line {number}: {_shown(parts[0])} is not base64 ({error})") from error
        before = lines.setdefault(piece, number)
        if before != number:
            raise DataError(f"{name}, line {number}: the piece of line {before} stands here again")
        if rank in ranks:
            raise DataError(f"{name}, line {number}: the rank {rank} of line {lines[ranks[rank]]} stands here again")
        ranks[rank] = piece
    return ranks


def digest(ranks: dict[int, bytes]) -> str:
    """Return the SHA-256 of ranks, written as tiktoken writes them: ascending, a newline behind each."""
    rows = (
        binascii.b2a_base64(piece, newline=False) + b" %d\n" % rank if piece else b"= %d\n" % rank
        for rank, piece in sorted(ranks.items())
    )
    return hashlib.sha256(b"".join(rows)).hexdigest()


def _shown(line: bytes) -> str:
    text = line[:40].decode("utf-8", "backslashreplace")
    return repr(text + "…" * (len(line) > 40))
