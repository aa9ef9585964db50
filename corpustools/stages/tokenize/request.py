"""What a tokenization is asked for, checked before any work begins."""

from __future__ import annotations

from dataclasses import dataclass

from corpustools.errors import UsageError
from corpustools.formats.layout import Layout
from corpustools.seeds import fresh_seed
from corpustools.stages.tokenize.lattice.weights import check_distribution
from corpustools.stages.tokenize.tokenizer import Tokenizer

MEASURES = ("score", "logprob", "logz", "entropy", "length", "pieces")


def seed_of(seed: str | int | None, mode: str, part: tuple[int, int] | None) -> str:
    """Return the seed as text, a fresh one where none is given.

    Raises:
        UsageError: a part of samples has no seed; every run would draw its own, and the parts would not fit.
    """
    if seed is None and part is not None and mode != "viterbi":
        raise UsageError(f"part {part[0]} of {part[1]} of samples without a seed", "give all parts the same seed")
    return fresh_seed() if seed is None else str(seed)


@dataclass(frozen=True)
class TokenizeRequest:
    """What to do with every record; see `tokenize` for the meaning of the options."""

    mode: str = "viterbi"
    alpha: float = 1.0
    length_weight: float = 1.0
    seed: str = "0"
    epoch: int = 0
    samples: int = 1
    unique: bool = False
    nbest: int = 0
    scores: str = "auto"
    format: str = "ids"
    columns: tuple[str, ...] = ()
    field: str | None = None
    skip_bad: bool = False
    bos: bool = False
    eos: bool = False
    context: int = 0
    pack: str = "concat"
    shards: int = 0
    shard_tokens: int = 0
    provenance: str | None = None
    workers: int = 1
    part: tuple[int, int] | None = None

    def check(self, tokenizer: Tokenizer) -> None:
        """Check the options against each other and the model.

        Raises:
            UsageError: an option is out of range, options exclude each other, or the model cannot do it.
        """
        check_distribution(tokenizer.model, self.alpha if self._random or self.columns else 0.0, self.length_weight)
        self._check_mode()
        self._check_output()
        for name in ("bos", "eos"):
            if getattr(self, name) and name not in tokenizer.model.control:
                raise UsageError(f"the model has no {name} token", f"leave {name} away")

    @property
    def layout(self) -> Layout:
        """Windows and shards."""
        return Layout(self.context, self.pack, self.shards, self.shard_tokens, self.workers)

    @property
    def _random(self) -> bool:
        return self.mode != "viterbi"

    def _check_mode(self) -> None:
        if self.samples < 1 or self.epoch < 0 or self.epoch >= 1 << 32 or self.samples >= 1 << 32:
            raise UsageError("samples count from 1 and epochs from 0, both below 2^32")
        if not self._random and self.samples > 1:
            raise UsageError("mode viterbi has one segmentation and no samples", "use mode sample, or nbest")
        if self.nbest < 0:
            raise UsageError(f"the {self.nbest} best", "give 1 or more")
        if self.nbest and (self._random or self.bos or self.eos):
            raise UsageError("nbest goes with mode viterbi, without bos and eos")
        if self.unique and (self.mode != "sample" or self.bos or self.eos):
            raise UsageError("unique goes with mode sample, without bos and eos")
        if self.mode == "viterbi-sampling" and "logprob" in self.columns:
            raise UsageError("viterbi-sampling draws from no distribution whose logprob is known", "use mode sample")
        if self.scores == "f32" and self._random:
            raise UsageError("scores f32 is SentencePiece's rounding of the best path", "use mode viterbi")

    def _check_output(self) -> None:
        if self.workers < 1:
            raise UsageError(f"{self.workers} workers", "give at least 1")
        if self.part is not None and not 1 <= self.part[0] <= self.part[1]:
            raise UsageError(f"part {self.part[0]} of {self.part[1]}", "parts are counted from 1")
        self.layout.check()
        for name in self.columns:
            if name not in MEASURES:
                raise UsageError(f"column '{name}'", f"accepted are {', '.join(MEASURES)}")
