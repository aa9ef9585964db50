"""The libraries that models are made for, as encoders to compare with."""

import base64
import contextlib
import itertools
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from corpustools.errors import UsageError
from corpustools.stages.tokenize.bpe.reference import load_reference
from corpustools.stages.tokenize.models import load_model
from corpustools.stages.tokenize.models import tiktoken as ranks


class Peer(NamedTuple):
    """A library with a model.

    encode: returns the ids of each of a list of texts.
    bits: of the significands that it adds scores in.
    takes_bytes: texts are given as bytes, else as str.
    name: of the library, with its version.
    """

    encode: Any
    bits: int
    takes_bytes: bool
    name: str


def sentencepiece_peer(path, threads):
    """Return the library of SentencePiece's .model."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    name = f"sentencepiece {sentencepiece.__version__}"
    return Peer(lambda texts: processor.encode(texts, num_threads=threads), 24, True, name)


def tokenizers_peer(path, threads):
    """Return the library of tokenizer.json."""
    import tokenizers

    peer = tokenizers.Tokenizer.from_file(path)
    peer.no_truncation()
    peer.no_padding()
    name = f"tokenizers {tokenizers.__version__}"
    return Peer(
        lambda texts: [one.ids for one in peer.encode_batch_fast(texts, add_special_tokens=False)], 53, False, name
    )


def bytepiece_peer(name):
    """Return what loads bytepiece or rs_bytepiece, which are asked line by line."""

    def make(path, threads):
        peer = __import__(name).Tokenizer(path)
        return Peer(lambda texts: [list(peer.encode(text)) for text in texts], 53, False, f"{name} {version(name)}")

    return make


# As tiktoken spells them. The other patterns are spelled there as in a tokenizer.json.
SPELLED = {
    None: r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    ranks.CL100K: (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
        r"|\s+(?!\S)|\s"
    ),
}


def tiktoken_peer(path, threads):
    """Return the library of rank files and of tekken.json, which reads both in its own way."""
    import tiktoken

    data, first, nfc = Path(path).read_bytes(), 0, False
    if data.lstrip()[:1] == b"{":
        content = json.loads(data)
        config = content["config"]
        first, pattern = config["default_num_special_tokens"], config["pattern"]
        rows = content["vocab"][: config["default_vocab_size"] - first]
        by_piece = {base64.b64decode(row["token_bytes"]): row["rank"] for row in rows}
    else:
        by_piece = {base64.b64decode(piece): int(rank) for piece, rank in map(bytes.split, data.splitlines())}
        known = ranks.KNOWN[ranks.digest({rank: piece for piece, rank in by_piece.items()})]
        pattern, nfc = SPELLED.get(known.pattern, known.pattern), known.nfc
    peer = tiktoken.Encoding(path, pat_str=pattern, mergeable_ranks=by_piece, special_tokens={})

    if nfc:
        # Files that ask for it are known as tokenizer.json; unicodedata's tables are those of the running Python.
        from tokenizers.normalizers import NFC
    normalize = NFC().normalize_str if nfc else str

    def encode(texts):
        given = list(map(normalize, texts))
        return [[first + i for i in ids] for ids in peer.encode_ordinary_batch(given, num_threads=threads)]

    return Peer(encode, 53, False, f"tiktoken {tiktoken.__version__}")


def conversion_peer(path, threads):
    """Return the library of tokenizer.json for a model that is converted to its form."""
    peer = load_reference(load_model(path))

    def encode(texts):
        return [ids.tolist() for ids in peer.encode_batch([text.encode() for text in texts])]

    return Peer(encode, 53, False, f"{peer.library} (converted)")


PEERS = {
    "sentencepiece": sentencepiece_peer,
    "tokenizers": tokenizers_peer,
    "tiktoken": tiktoken_peer,
    "converted": conversion_peer,
    "bytepiece": bytepiece_peer("bytepiece"),
    "rs_bytepiece": bytepiece_peer("rs_bytepiece"),
}
KINDS = {
    "sentencepiece-unigram": ["sentencepiece"],
    "sentencepiece-bpe": ["sentencepiece"],
    "hf-unigram": ["tokenizers"],
    "hf-bpe": ["tokenizers"],
    "tiktoken": ["tiktoken", "converted"],
    "tekken": ["tiktoken", "converted"],
    "bytepiece": ["bytepiece", "rs_bytepiece"],
}


def load_peer(kind, path, threads, wanted=None):
    """Return the first peer of a kind of model that can be imported."""
    if kind not in KINDS:
        raise UsageError(f"a {kind} model has no peer", f"accepted are {', '.join(KINDS)}")
    for name in [wanted] if wanted else KINDS[kind]:
        with contextlib.suppress(ImportError):
            return PEERS[name](path, threads)
    raise UsageError(f"no peer of this {kind} model is installed", f"install {' or '.join(KINDS[kind])}")


def texts_of(paths, limit, count, batch):
    """Give lists of (number of its first line in its file, `count` lines without the last newline), in batches.

    Args:
        paths: the files.
        limit: bytes to take of all files together.
        count: lines of a text.
        batch: bytes of a batch, about.
    """
    for path in paths:
        size, some = 0, []
        with open(path, "rb") as file:
            for number in itertools.count(1, count):
                lines = list(itertools.islice(file, count))
                if not lines or limit <= 0:
                    break
                text = b"".join(lines)
                some.append((number, text.removesuffix(b"\n")))
                size += len(text)
                limit -= len(text)
                if size >= batch:
                    yield path, some
                    size, some = 0, []
        if some:
            yield path, some
