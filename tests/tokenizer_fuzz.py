"""Random tokenizer.json pipelines and awkward texts, ours against the tokenizers package: equal, or refused by name."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass, field
from functools import cache

import tokenizers
from spm_files import shipped_charsmap

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_text import UNWRITABLE
from corpustools.stages.tokenize.tokenizer import Tokenizer

MARK = "\u2581"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
REGEXES = [
    LLAMA3,
    O200K,
    "\\s+",
    "\\w+|[^\\w\\s]+",
    "\\d",
    "[a-d]",
    "\\p{P}",
    "\\p{M}+",
    "\\p{Cn}",
    "[^\\P{L}x]",
    "(?<=\\p{L})\\p{N}",
    "(?i:k|'s)",
    "(?i:[sdmt]|ll|ve)",
    " {2,}",
    "\\p{Zs}|[\\u200B\\x41]",
    "a|ab",
    "(a)(b)?",
    "$|a",
    "a*",
    "[\u4e00-\u9fa5\u3040-\u309f]+",
    "^a|b$",
]
WORDS = [
    MARK, MARK + "a", "a", "b", "ab", MARK + "ab", "bab", "天", "天地", MARK + "天", "<", ">", "/", "s", "new", "aab",
    "k", "e", "é", "i", "f", "fi", "x", "X", "1", "12", " ", "  ", "\n", ".", "'", "'s", "<s>", "</s>", "<mask>",
    "क", "ा", "का", "\u0301", "e\u0301", "ß", "ss", "\u03a3", "\u03c3", "…", "...", "\u200b",
    "0", "0A", "<0x", "ab<", "u",
]  # fmt: skip
PARTS = [
    " ", "  ", "a", "aa", "b", "ab", "Hello", "wor", "'s", "'LL", "'\u017f", "123", "4", "\n", "\r\n", "\t", ".", "!?",
    "\u060c", "\u0645\u0631\u064b\u062d", "你好", "天地", "é", "e\u0301", "\ufb01", "\u2460", "\u3000", "\u00a0",
    "\u200b", "\u200d", "😀", MARK, MARK * 3, "\x1c", "\x85", "<s>", "</s>", "<unk>", "<mask>", "<new>", "<sep>",
    "<SEP>", "x<mask>y", "\uff1cs\uff1e", "\uff1c/s\uff1e", "\uff1cunk\uff1e", "<unk><unk>", "\u2603<unk>\u2603",
    "<0x0A>", "<0x41>", "<0xZZ>", "\u0600a", "\u0130", "\u03a3", "ΑΣ", "\u1780\u17d2", "\0", "\u2028", "\ufdfa", "_",
    "\u00bd", "\U00031350", "\U0002ebf0", "\u0378", "\ue000", "\U0010fffd", "\U000e0001", "\u0915\u093e\u092e",
    "\u0915\u094d\u0937\u0301", "\u0e01\u0e47\u0e33", "K\u00e9\u20dd", "\u1100\u1161\u11a8", "\uac00\u11a8",
    "\u0344\u0316", "\u0f73\u0301", "\u1e9b\u0323", "\u212b", "\u2126", "\u212a", "ǅ", "ß", "\xa9\u200d\xa9",
    "\U0001f1e6",
    "\U00016d63\U00016d67", "\U0001e08f", "\u09c7\u09be", "\u0b47\u0b57", "\ud7b0", "\U000110ba\u0301", "\u0901",
    "\ufeff",
]  # fmt: skip
ADDED = [
    "<s>", "</s>", "<unk>", "<mask>", "<new>", "<sep>", "<SEP>", "a", "aa", "é", "\u2603", " ", "  ", "<0x0A>", "地a",
    "Hello", "wor", "e\u0301", "\uff1cs\uff1e", "\u200b",
]  # fmt: skip


@cache
def charsmap(name):
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(shipped_charsmap(name)).decode()}


def normalizer(rng):
    """Return one normalizer."""
    kind = rng.randrange(10)
    if kind < 3:
        return {"type": rng.choice(["NFC", "NFD", "NFKC", "NFKD"])}
    if kind == 3:
        return {"type": rng.choice(["Lowercase", "StripAccents", "Nmt"])}
    if kind == 4:
        return {"type": "Strip", "strip_left": rng.random() < 0.7, "strip_right": rng.random() < 0.6}
    if kind == 5:
        return {"type": "Prepend", "prepend": rng.choice([MARK, " ", "ab", "e"])}
    if kind == 6:
        return {
            "type": "Replace",
            "pattern": {"Regex": rng.choice(REGEXES)},
            "content": rng.choice(["", " ", "\\1", "xy"]),
        }
    if kind == 7:
        return charsmap(rng.choice(["nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf", "nfkc"]))
    pattern = {"String": rng.choice([" ", "a", "ab", "''", "\u3000", "\u0301", "-"])}
    return {"type": "Replace", "pattern": pattern, "content": rng.choice([MARK, "", "b", " ", "天地"])}


def splitter(rng):
    """Return one pre-tokenizer."""
    behavior = rng.choice(["Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"])
    kind = rng.randrange(9)
    if kind < 3:
        scheme = rng.choice(["always", "first", "never"])
        return {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": rng.random() < 0.7}
    if kind == 3:
        return {"type": rng.choice(["Whitespace", "WhitespaceSplit", "BertPreTokenizer"])}
    if kind == 4:
        return {"type": "Punctuation", "behavior": behavior}
    if kind == 5:
        return {"type": "Digits", "individual_digits": rng.random() < 0.5}
    if kind == 6:
        return {"type": "CharDelimiterSplit", "delimiter": rng.choice(["a", " ", "天"])}
    regex = rng.random() < 0.7
    pattern = {"Regex": rng.choice(REGEXES)} if regex else {"String": rng.choice(["a", " ", "ab", "-", "\u0301"])}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": rng.random() < 0.3}


def decoder(rng):
    """Return one decoder."""
    return rng.choice(
        [
            {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True},
            {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "never", "split": True},
            {"type": "Replace", "pattern": {"String": MARK}, "content": " "},
            {"type": "Replace", "pattern": {"Regex": "[a-d]|\\s"}, "content": "<0x41>"},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            {"type": "Strip", "content": "a", "start": 2, "stop": 0},
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            {"type": "WordPiece", "prefix": "a", "cleanup": rng.random() < 0.5},
            {"type": "BPEDecoder", "suffix": rng.choice(["b", "</w>"])},
            {"type": "CTC", "pad_token": "a", "word_delimiter_token": MARK, "cleanup": rng.random() < 0.5},
        ]
    )


def some(rng, make, key, most=3):
    """Return None, one of a kind, or a sequence."""
    count = rng.choice([0, 1, 1, *range(2, most + 1)])
    made = [make(rng) for _ in range(count)]
    return None if not made else made[0] if count == 1 and rng.random() < 0.7 else {"type": "Sequence", key: made}


def added_tokens(rng, size):
    """Return added tokens with flags and ids of any kind."""
    chosen = rng.sample(ADDED, rng.choice([0, 1, 3, 6]))
    flags = ("single_word", "lstrip", "rstrip", "special")
    return [
        {"id": rng.choice([i, size + i, size + 100]), "content": content, "normalized": rng.random() < 0.4}
        | {flag: rng.random() < 0.3 for flag in flags}
        for i, content in enumerate(chosen)
    ]


def pipeline(rng):
    """Return a tokenizer.json object and what of it is compared: ids, or the parts before the model."""
    mode = rng.choice(["ids", "ids", "ids", "parts", "bytes"])
    in_bytes = mode == "bytes" or (mode == "ids" and rng.random() < 0.1)
    model = {"type": "Unigram", "unk_id": 0, "byte_fallback": False}
    if mode == "ids":
        words = rng.sample(WORDS, rng.randrange(20, len(WORDS) + 1))
        vocabulary = [[word, -rng.uniform(1, 12)] for word in words]
        vocabulary.insert(rng.randrange(3), ["<unk>", rng.choice([0.0, -3.3, -20.0])])
        model["unk_id"] = rng.choice([*[next(i for i, row in enumerate(vocabulary) if row[0] == "<unk>")] * 9, None])
        if rng.random() < 0.4:
            vocabulary += [[f"<0x{byte:02X}>", rng.choice([0.0, -rng.uniform(5, 30)])] for byte in range(256)]
            model["byte_fallback"] = rng.random() < 0.8
        if in_bytes:
            letters = {byte: character for character, byte in byte_alphabet().items()}
            vocabulary = [["".join(letters[byte] for byte in word.encode()), score] for word, score in vocabulary]
            seen = {word for word, _ in vocabulary}
            vocabulary += [[letter, -rng.uniform(6, 12)] for letter in letters.values() if letter not in seen]
        model["vocab"] = vocabulary
    elif mode == "parts":
        model["vocab"] = [["\U0010fffe?", 0.0]]
    else:
        model = {"type": "BPE", "vocab": {c: i for i, c in enumerate(sorted(byte_alphabet()))}, "merges": []}
    last = {
        "type": "ByteLevel",
        "add_prefix_space": rng.random() < 0.5,
        "trim_offsets": True,
        "use_regex": rng.random() < 0.5,
    }
    pre = some(rng, splitter, "pretokenizers")
    if mode == "bytes":
        # The parts are asked for without their text's own beginning.
        pre = json.loads(json.dumps(pre).replace('"first"', '"always"'))
    if in_bytes:
        pre = {"type": "Sequence", "pretokenizers": [*([pre] if pre else []), last]}
    return mode, {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [] if mode == "bytes" else added_tokens(rng, len(model["vocab"])),
        "normalizer": some(rng, normalizer, "normalizers"),
        "pre_tokenizer": pre,
        "post_processor": None,
        "decoder": some(rng, decoder, "decoders", 4),
        "model": model,
    }


def any_character(rng):
    """Return a character of any plane, rarely met ones more often than they are."""
    low, high = rng.choice(
        [(0, 0x80), (0x80, 0x250), (0x300, 0x370), (0x370, 0x1000), (0x1000, 0x3000), (0x3000, 0xD800),
         (0xE000, 0x10000), (0x10000, 0x12000), (0x16000, 0x20000), (0x20000, 0x32000), (0xE0000, 0xE0200)]
    )  # fmt: skip
    return chr(rng.randrange(low, high))


def text(rng):
    """Return an awkward text."""
    count = rng.choice([0, 1, 1, 2, 3, 5, 8, 14])
    parts = [rng.choice(PARTS) if rng.random() < 0.8 else any_character(rng) for _ in range(count)]
    if rng.random() < 0.03:
        parts.append(rng.choice(PARTS) * rng.randrange(20, 80))
    return "".join(parts)


@dataclass
class Counts:
    """What came of a run."""

    pairs: int = 0
    equal: int = 0
    refused: int = 0  # by a record: the library raises an error, or the vocabulary cannot write it
    broken: int = 0  # on which the library panics or raises an error
    pipelines: int = 0
    refused_pipelines: int = 0
    broken_pipelines: int = 0  # which the library refuses
    reasons: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def outcome(call, *errors):
    """Return a call's value, or the error it raises."""
    try:
        return call()
    except errors as error:
        return error


class Pair:
    """One pipeline, ours and theirs."""

    def __init__(self, mode, content):
        self.mode, self.content = mode, content
        data = json.dumps(content)
        self.peer = outcome(lambda: tokenizers.Tokenizer.from_str(data), BaseException)
        self.ours = outcome(lambda: parse(data.encode(), "m"), UnsupportedModel, DataError)
        if not isinstance(self.ours, Exception):
            self.tokenizer = Tokenizer(self.ours)

    def theirs_of(self, text):
        if self.mode == "bytes":
            normalized = self.peer.normalizer.normalize_str(text) if self.peer.normalizer else text
            parts = [part for part, _ in self.peer.pre_tokenizer.pre_tokenize_str(normalized)]
            alphabet = byte_alphabet()
            return [bytes(alphabet[c] for c in part) for part in parts if part]
        encoding = self.peer.encode(text, add_special_tokens=False)
        if self.mode == "ids":
            return encoding.ids
        added = {i: token.content for i, token in self.peer.get_added_tokens_decoder().items()}
        return [added.get(i, token) for i, token in zip(encoding.ids, encoding.tokens, strict=True)]

    def ours_of(self, text):
        if self.mode == "ids":
            return self.tokenizer.encode(text)
        parts = [part for part in self.ours.normalizer.normalize(text.encode()).split(b"\xff") if part]
        if UNWRITABLE in parts:
            raise DataError("no piece has this")
        if self.mode == "bytes":
            return parts
        return [self.ours.normalizer.surfaces.get(part, part).decode() for part in parts]

    def compare(self, text, counts, rng):
        """Compare one text; what differs is kept as something that can be run again."""
        theirs = outcome(lambda: self.theirs_of(text), BaseException)
        ours = outcome(lambda: self.ours_of(text), DataError)
        counts.pairs += 1
        if isinstance(ours, DataError):
            counts.refused += 1
            if not isinstance(theirs, BaseException) and self.content["model"].get("unk_id") is not None:
                self.differ("refused", text, ours, theirs, counts)
            return
        if isinstance(theirs, BaseException):
            counts.broken += 1
            return
        if ours != theirs:
            self.differ("ids", text, ours, theirs, counts)
            return
        size = self.peer.get_vocab_size()
        ids = theirs if self.mode == "ids" else [rng.randrange(size) for _ in range(6)]
        if rng.random() < 0.2:
            ids = [rng.randrange(size) for _ in range(rng.randrange(6))]
        theirs = outcome(lambda: self.peer.decode(ids), BaseException)
        ours = self.tokenizer.decode(ids)
        if isinstance(theirs, BaseException):
            counts.broken += 1
        elif ours == theirs:
            counts.equal += 1
        else:
            self.differ(f"text of {ids}", text, ours, theirs, counts)

    def differ(self, what, text, ours, theirs, counts):
        content = dict(self.content)
        if self.mode == "bytes":
            content["model"] = "byte-level BPE"
        shown = {key: value for key, value in content.items() if value not in (None, [], "1.0")}
        counts.differences.append(
            f"{what}: {text!r}\n  ours   {ours!r}\n  theirs {theirs!r}\n  {json.dumps(shown)[:3000]}"
        )


def run(rng: random.Random, pairs: int, texts: int = 150, most_differences: int = 20) -> Counts:
    """Compare so many pairs of a pipeline and a text."""
    counts = Counts()
    while counts.pairs < pairs and len(counts.differences) < most_differences:
        pair = Pair(*pipeline(rng))
        counts.pipelines += 1
        if isinstance(pair.ours, UnsupportedModel):
            counts.refused_pipelines += 1
            reason = pair.ours.what[:100]
            counts.reasons[reason] = counts.reasons.get(reason, 0) + 1
            continue
        if isinstance(pair.peer, BaseException):
            counts.broken_pipelines += 1
            continue
        if isinstance(pair.ours, Exception):
            pair.differ("damaged", "", pair.ours, pair.peer, counts)
            continue
        for _ in range(min(texts, pairs - counts.pairs)):
            pair.compare(text(rng), counts, rng)
            if len(counts.differences) >= most_differences:
                break
    return counts
