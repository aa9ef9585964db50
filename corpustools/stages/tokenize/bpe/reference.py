"""The library that a byte-pair model was made with, as an encoder: what its canonical ids are by definition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from corpustools.errors import CorpusError, DataError, UnsupportedModel
from corpustools.files.extras import load_extra
from corpustools.stages.tokenize.models.model import Model

Ids = np.ndarray[Any, np.dtype[np.int32]]

# What is given to a library at once. Its result takes some 30 times as much, and is dropped before the next.
PORTION = 1 << 20


class Reference(ABC):
    """A model's own library. Any number of threads may encode at the same time.

    Attributes:
        library: its name and version, as in 'tokenizers 0.23.3'.
    """

    library: str

    def encode_batch(self, documents: Sequence[bytes], place: Callable[[int], str] | None = None) -> list[Ids | None]:
        """Return what the library makes of each document, without bos and eos.

        Args:
            documents: texts, one after another.
            place: returns how messages name document i; None: by its number.

        Returns:
            Ids of each document, int32; None for one that the library has no way to take: bytes that are not UTF-8,
            where it takes characters only.

        Raises:
            DataError: the library fails at a document, which the text names.
        """
        name = place or (lambda i: f"document {i}")
        found: list[Ids | None] = []
        for begin, end in portions([len(document) for document in documents]):
            found += self._encode_range(documents, begin, end, name)
        return found

    @abstractmethod
    def _encode(self, documents: Sequence[bytes]) -> list[Ids | None]:
        """Return the ids of documents, in one call of the library."""

    def _encode_range(
        self, documents: Sequence[bytes], begin: int, end: int, name: Callable[[int], str]
    ) -> list[Ids | None]:
        try:
            return self._encode(documents[begin:end])
        except BaseException as error:
            if not _is_of_library(error):
                raise
            if end - begin == 1:
                raise DataError(
                    f"{name(begin)}: {self.library} fails ({error})", "take the fast engine, or leave the document out"
                ) from error
        # The library does not say which document it was.
        return [one for i in range(begin, end) for one in self._encode_range(documents, i, i + 1, name)]


def portions(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give ranges of neighbouring documents of these sizes, none empty, each of at most PORTION bytes or one alone."""
    begin = total = 0
    for i, size in enumerate(sizes):
        if i > begin and total + size > PORTION:
            yield begin, i
            begin, total = i, 0
        total += size
    if begin < len(sizes):
        yield begin, len(sizes)


def _is_of_library(error: BaseException) -> bool:
    """Say whether a library failed. A panic of Rust code arrives as an exception that is no Exception."""
    if isinstance(error, (CorpusError, MemoryError)):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


class _Tokenizers(Reference):
    """The library of tokenizer.json, over the content of such a file or a vocabulary with ranks."""

    def __init__(self, model: Model, special: str) -> None:
        self._module = load_extra("tokenizers", "byte-pair models have the library tokenizers as reference", "bpe")
        self.library = f"tokenizers {self._module.__version__}"
        self._tokenizer = _loaded(self.library, lambda: self._load(model))
        self._tokenizer.encode_special_tokens = special == "text"
        # A file may ask for it, and canonical ids are those without.
        self._tokenizer.model.dropout = None

    def _load(self, model: Model) -> Any:
        if model.kind == "hf-bpe":
            return self._module.Tokenizer.from_buffer(model.file.removeprefix(b"\xef\xbb\xbf"))
        from corpustools.stages.tokenize.bpe.rank_file import frame_of_ranks, merges_of_ranks

        tokenizer = self._module.Tokenizer.from_buffer(frame_of_ranks(model))
        vocabulary, merges = merges_of_ranks(model)
        tokenizer.model = self._module.models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True)
        return tokenizer

    def _encode(self, documents: Sequence[bytes]) -> list[Ids | None]:
        texts = [_text(document) for document in documents]
        known = [text for text in texts if text is not None]
        encodings = iter(self._tokenizer.encode_batch_fast(known, add_special_tokens=False))
        return [None if text is None else np.array(next(encodings).ids, np.int32) for text in texts]


class _SentencePiece(Reference):
    """The library of SentencePiece models. It takes any bytes, as the model does here."""

    def __init__(self, content: bytes) -> None:
        import sentencepiece

        self.library = f"sentencepiece {sentencepiece.__version__}"
        self._processor = _loaded(self.library, lambda: sentencepiece.SentencePieceProcessor(model_proto=content))

    def _encode(self, documents: Sequence[bytes]) -> list[Ids | None]:
        lists = self._processor.encode(list(documents), out_type=int, num_threads=1)
        return [np.array(ids, np.int32) for ids in lists]


def load_reference(model: Model, special: str = "library") -> Reference:
    """Return a model's own library, with the model loaded.

    Args:
        model: the model as it was read, with its special tokens.
        special: what text of special tokens becomes: 'library' or 'text'.

    Raises:
        UnsupportedModel: the model has no such library, or the library refuses it, or cannot read such text as text.
        SystemFailure: the library is not installed; the text names the extra.
    """
    if model.kind in ("hf-bpe", "tiktoken", "tekken"):
        if special == "text" and model.merges is not None and model.written_special & set(model.merges.made.tolist()):
            raise UnsupportedModel("tokenizers makes special tokens by merges in this model", "take the fast engine")
        return _Tokenizers(model, special)
    if model.kind == "sentencepiece-bpe":
        if special == "text" and model.special_codes is not None:
            raise UnsupportedModel(
                "sentencepiece always makes special tokens of their text in this model", "take the fast engine"
            )
        return _SentencePiece(model.file)
    raise UnsupportedModel(f"a {model.kind} model has no reference library", "byte-pair models have one")


def _loaded(library: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except BaseException as error:
        if not _is_of_library(error):
            raise
        raise UnsupportedModel(f"{library} does not load the model ({error})", "take the fast engine") from error


def _text(document: bytes) -> str | None:
    try:
        return document.decode()
    except UnicodeDecodeError:
        return None
