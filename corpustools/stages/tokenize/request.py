"""What a tokenization is asked for, checked before any work begins."""

from __future__ import annotations

from dataclasses import dataclass

from corpustools.errors import UsageError
from corpustools.files.compression import output_codec
from corpustools.files.inputs import Input
from corpustools.files.targets import refuse_conflicts, refuse_own_output
from corpustools.formats import check_format, refuse_suffix
from corpustools.formats.layout import Layout
from corpustools.seeds import fresh_seed
from corpustools.stages.tokenize.lattice.weights import check_distribution, check_numbers
from corpustools.stages.tokenize.tokenizer import Tokenizer

# What the text of a special token is: what the model's own library makes of it, text, or an error.
SPECIAL = ("library", "text", "error")
MODES = ("viterbi", "sample", "viterbi-sampling")
MEASURES = ("score", "logprob", "logz", "entropy", "length", "pieces")


def mode_of(mode: str | None, alpha: float | None) -> str:
    """Return the mode, which an alpha decides where none is named."""
    return mode or ("viterbi" if alpha is None else "sample")


def seed_of(seed: str | int | None, mode: str, part: tuple[int, int] | None) -> str:
    """Return the seed as text, a fresh one where none is given.

    Raises:
        UsageError: a part of samples has no seed; every run would draw its own, and the parts would not fit.
    """
    if seed is None and part is not None and mode != "viterbi":
        raise UsageError(f"part {part[0]} of {part[1]} of samples without a seed", "give all parts the same seed")
    return fresh_seed() if seed is None else str(seed)


def check_files(inputs: list[Input], output: str, model: str | None, form: str | None) -> None:
    """Check the files of a run, which costs nothing, before a model is loaded.

    Args:
        inputs: as they were found.
        output: where to.
        model: the model's file, if it has one.
        form: the format of the output; None for lines of text.

    Raises:
        UsageError: the output would replace the model or never end, or is named as another format.
    """
    refuse_own_output(output, inputs)
    if model is not None:
        refuse_conflicts("the output", output, [("the model", model)])
    refuse_suffix(output, form)
    output_codec(output)


@dataclass(frozen=True)
class TokenizeRequest:
    """What to do with every record; see `tokenize` for the meaning of the options.

    What is wrong whatever the model is refused here, before a model is loaded.

    Raises:
        UsageError: an option is out of range, or options exclude each other.
    """

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
    special: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        check_numbers(self.alpha, self.length_weight)
        self._check_mode()
        self._check_output()
        check_format(self.format, self.columns, self.layout)

    def check(self, tokenizer: Tokenizer) -> None:
        """Check the options against the model.

        Raises:
            UsageError: the model cannot do it.
        """
        check_distribution(tokenizer.model, self.alpha if self._random or self.columns else 0.0, self.length_weight)
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
        for name, least, value in (("samples", 1, self.samples), ("epoch", 0, self.epoch), ("nbest", 0, self.nbest)):
            if not least <= value < 1 << 32:
                raise UsageError(f"{name}: {value}", f"accepted are {least} to 2^32 - 1")
        if self.mode not in MODES:
            raise UsageError(f"mode '{self.mode}'", f"accepted are {', '.join(MODES)}")
        self._check_lists()
        if self.mode == "viterbi-sampling" and "logprob" in self.columns:
            raise UsageError("viterbi-sampling draws from no distribution whose logprob is known", "use mode sample")
        if self.scores == "f32" and self._random:
            raise UsageError("scores f32 is SentencePiece's rounding of the best path", "use mode viterbi")

    def _check_lists(self) -> None:
        """Check what belongs to several segmentations of a record."""
        if self.nbest and self._random:
            remedy = "leave mode and alpha away, or draw unique samples"
            raise UsageError(f"the {self.nbest} best are not drawn, and mode {self.mode} draws", remedy)
        if self.nbest and (self.samples > 1 or self.unique):
            asked = "unique samples" if self.unique else f"{self.samples} samples"
            raise UsageError(f"the {self.nbest} best and {asked} exclude each other", "ask for one of them")
        if self.samples > 1 and not self._random:
            what = f"{self.samples} samples in mode viterbi, which has one segmentation"
            raise UsageError(what, "give an alpha or mode sample, or ask for the n best")
        if self.unique and self.mode != "sample":
            remedy = "give an alpha or mode sample"
            raise UsageError(f"unique samples in mode {self.mode}, which cannot draw them", remedy)
        if (self.nbest or self.unique) and (self.bos or self.eos):
            listed = "unique samples" if self.unique else f"the {self.nbest} best"
            raise UsageError(f"{listed} are written without bos and eos", "leave bos and eos away")

    def _check_output(self) -> None:
        if self.workers < 1:
            raise UsageError(f"{self.workers} workers", "give at least 1")
        if self.part is not None and not 1 <= self.part[0] <= self.part[1]:
            raise UsageError(f"part {self.part[0]} of {self.part[1]}", "parts are counted from 1")
        if self.special is not None and self.special not in SPECIAL:
            raise UsageError(f"special tokens as '{self.special}'", f"accepted are {', '.join(SPECIAL)}")
        for name in self.columns:
            if name not in MEASURES:
                raise UsageError(f"column '{name}'", f"accepted are {', '.join(MEASURES)}")
