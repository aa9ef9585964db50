"""What a verification is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from corpustools.errors import UsageError
from corpustools.files.chunks import RecordFormat
from corpustools.formats.layout import Layout
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.request import DRAWN, TokenizeRequest

LINES = RecordFormat()


def record_format(delimiter: bytes, record_bytes: int, header: int) -> RecordFormat:
    """Return what a record of a shuffled file is.

    Raises:
        UsageError: the delimiter is neither newline nor NUL, or a number is negative.
    """
    if delimiter not in (b"\n", b"\0"):
        raise UsageError(f"delimiter {delimiter!r}", "accepted are newline and NUL")
    if record_bytes < 0 or header < 0:
        raise UsageError(f"records of {record_bytes} bytes with a header of {header}", "give 0 or more")
    return RecordFormat(delimiter[0], record_bytes, header)


@dataclass(frozen=True)
class VerifyRequest:
    """How the output was made and how much of it is compared; see `verify` for the meaning of the options."""

    format: str | None = None
    field: str | None = None
    skip_bad: bool = False
    bos: bool = False
    eos: bool = False
    samples: int = 1
    context: int = 0
    pack: str = "concat"
    sample: int = 0
    special: str | None = None
    mode: str = "own"
    alpha: float = 1.0
    length_weight: float = 1.0
    seed: str | None = None
    epoch: int = 0
    unique: bool = False
    nbest: int = 0
    scores: str = "auto"
    stochastic: float | None = None
    dropout: float | None = None
    counts: str | None = None
    workers: int = 1
    form: RecordFormat = LINES
    head_count: int | None = None

    def check(self, model: Model) -> None:
        """Check the options against each other and the model.

        Raises:
            UsageError: an option is out of range, or the model has no such mark.
        """
        if self.workers < 1 or self.samples < 1 or self.context < 0 or self.sample < 0:
            raise UsageError("a count of workers, samples, window ids or compared documents", "give 1 or more")
        Layout(self.context, self.pack).check()
        if self.pack == "best-fit" and self.sample:
            raise UsageError(
                "a sample of documents in windows packed by best fit",
                "where a document stands depends on all of them: compare all",
            )
        if self.pack == "best-fit":
            _ = self.tokenizing
        if self.head_count is not None:
            raise UsageError("the head of a shuffle, with a model", "ids are verified against all of their source")
        if self.form != LINES:
            raise UsageError("records that are no lines, with a model", "ids are verified against lines")
        for name in ("bos", "eos"):
            if getattr(self, name) and name not in model.control:
                raise UsageError(f"the model has no {name} token", f"leave {name} away")

    @property
    def tokenizing(self) -> TokenizeRequest:
        """What makes the documents of the output again.

        Raises:
            UsageError: options exclude each other, or samples have no seed.
        """
        if self.seed is None and self.mode in DRAWN:
            raise UsageError(f"windows of {self.mode} without a seed", "give the seed that the ids were drawn with")
        return TokenizeRequest(
            mode=self.mode, alpha=self.alpha, length_weight=self.length_weight, seed=self.seed or "", epoch=self.epoch,
            samples=self.samples, unique=self.unique, nbest=self.nbest, scores=self.scores, field=self.field,
            skip_bad=self.skip_bad, bos=self.bos, eos=self.eos, context=self.context, pack=self.pack,
            workers=self.workers, special=self.special, stochastic=self.stochastic, dropout=self.dropout,
            counts=self.counts,
        )  # fmt: skip

    def check_records(self) -> None:
        """Check that nothing is asked that only token ids have.

        Raises:
            UsageError: it is.
        """
        asked = {
            "a format": self.format, "a field": self.field, "skipping bad records": self.skip_bad, "bos": self.bos,
            "eos": self.eos, "more samples than one": self.samples > 1, "a context": self.context,
            "a packing": self.pack != "concat", "samples": self.mode in DRAWN, "the n best": self.nbest,
            "a sample of documents": self.sample, "special tokens as text": self.special == "text",
        }  # fmt: skip
        for name, given in asked.items():
            if given:
                raise UsageError(f"{name} without a model", "give the model that made the ids, or leave it away")
