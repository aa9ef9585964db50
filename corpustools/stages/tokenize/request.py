"""What a tokenization is asked for, checked before any work begins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from corpustools.errors import UsageError
from corpustools.files.compression import output_codec
from corpustools.files.inputs import Input
from corpustools.files.targets import refuse_conflicts, refuse_own_output
from corpustools.formats import check_format, refuse_suffix
from corpustools.formats.layout import Layout
from corpustools.seeds import fresh_seed
from corpustools.stages.tokenize.lattice.weights import check_distribution, check_numbers
from corpustools.stages.tokenize.tokenizer import Tokenizer

# What makes canonical ids: our engine with some documents checked, the model's own library alone, our engine alone.
ENGINES = ("auto", "reference", "fast")
# What the text of a special token is: what the model's own library makes of it, text, or an error.
SPECIAL = ("library", "text", "error")
# 'own' is what the model's own library makes of text: 'canonical' where the model has merges, else 'viterbi'.
# 'stochastic' draws some words and leaves the others canonical, 'dropout' leaves merges out.
MODES = ("own", "viterbi", "canonical", "sample", "viterbi-sampling", "stochastic", "dropout")
DRAWN = frozenset({"sample", "viterbi-sampling", "stochastic", "dropout"})
WORD_BY_WORD = frozenset({"stochastic", "dropout"})
OF_MERGES = WORD_BY_WORD | {"canonical"}
# In these our engine makes canonical segmentations, which the model's own library can check.
GUARDED = frozenset({"canonical", "stochastic"})
MEASURES = ("score", "logprob", "logz", "entropy", "length", "pieces")


def mode_of(
    mode: str | None, alpha: float | None, stochastic: float | None = None, dropout: float | None = None
) -> str:
    """Return the mode, which other options decide where none is named."""
    if mode is not None:
        return mode
    if stochastic is not None:
        return "stochastic"
    if dropout is not None:
        return "dropout"
    return "own" if alpha is None else "sample"


def alpha_of(alpha: float | None, mode: str, counts: str | None) -> float:
    """Return the power of the probabilities; without any, all segmentations of a word are equally likely."""
    if alpha is not None:
        return alpha
    return 0.0 if mode == "stochastic" and counts is None else 1.0


def seed_of(seed: str | int | None, mode: str, part: tuple[int, int] | None) -> str:
    """Return the seed as text, a fresh one where none is given.

    Raises:
        UsageError: a part of samples has no seed; every run would draw its own, and the parts would not fit.
    """
    if seed is None and part is not None and mode in DRAWN:
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

    mode: str = "own"
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
    engine: str = "auto"
    stochastic: float | None = None
    dropout: float | None = None
    counts: str | None = None
    count_tokens: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        check_numbers(self.alpha, self.length_weight)
        self._check_mode()
        self._check_output()
        check_format(self.format, self.columns, self.layout)

    def for_model(self, tokenizer: Tokenizer) -> TokenizeRequest:
        """Return the request with the mode that the model's own is.

        Raises:
            UsageError: the mode excludes another option.
        """
        if self.mode != "own":
            return self
        return replace(self, mode="canonical" if tokenizer.model.merges is not None and not self.nbest else "viterbi")

    def check(self, tokenizer: Tokenizer) -> None:
        """Check the options against the model.

        Raises:
            UsageError: the model cannot do it.
        """
        measured = self.drawn or bool(self.columns)
        if self.mode in WORD_BY_WORD:
            tokenizer.model.require_merges(f"mode {self.mode}")
        # Merges have no probabilities, and token counts stand for those of words.
        alpha = self.alpha if measured and self.mode not in OF_MERGES else 0.0
        check_distribution(tokenizer.model, alpha, self.length_weight)
        if self.engine != "auto" and self.mode not in (GUARDED if self.engine == "fast" else ("canonical",)):
            what = f"the {self.engine} engine in mode {self.mode}"
            raise UsageError(what, "engines are for canonical segmentations; leave it away")
        for name in ("bos", "eos"):
            if getattr(self, name) and name not in tokenizer.model.control:
                raise UsageError(f"the model has no {name} token", f"leave {name} away")

    @property
    def layout(self) -> Layout:
        """Windows and shards."""
        return Layout(self.context, self.pack, self.shards, self.shard_tokens, self.workers)

    @property
    def drawn(self) -> bool:
        """Whether segmentations are drawn at random."""
        return self.mode in DRAWN

    @property
    def _named(self) -> str:
        """The mode, as messages name it."""
        return "the model's own mode" if self.mode == "own" else f"mode {self.mode}"

    def _check_mode(self) -> None:
        for name, least, value in (("samples", 1, self.samples), ("epoch", 0, self.epoch), ("nbest", 0, self.nbest)):
            if not least <= value < 1 << 32:
                raise UsageError(f"{name}: {value}", f"accepted are {least} to 2^32 - 1")
        if self.mode not in MODES:
            raise UsageError(f"mode '{self.mode}'", f"accepted are {', '.join(MODES)}")
        self._check_lists()
        if self.mode == "viterbi-sampling" and "logprob" in self.columns:
            raise UsageError("viterbi-sampling draws from no distribution whose logprob is known", "use mode sample")
        if self.scores == "f32" and self.drawn:
            raise UsageError("scores f32 is SentencePiece's rounding of the best path", "use mode viterbi")
        if self.mode in OF_MERGES:
            self._check_columns_of_merges()
        self._check_words()

    def _check_columns_of_merges(self) -> None:
        """Check that nothing is asked of merges that scores would tell."""
        known = {"pieces", "logprob", "entropy", "length"} if self.mode == "stochastic" else {"pieces"}
        measures = [name for name in self.columns if name not in known]
        if measures and self.mode == "canonical":
            remedy = "leave it away, or sample with alpha = 0"
            raise UsageError(f"a canonical segmentation is neither scored nor drawn: {measures[0]}", remedy)
        if measures and self.mode == "dropout":
            remedy = "leave it away, or draw words in mode stochastic, which has exact probabilities"
            raise UsageError(f"dropout has no formula for probabilities: {measures[0]}", remedy)
        if measures:
            raise UsageError(f"in mode stochastic there is no {measures[0]}", "ask for logprob, entropy or length")
        if self.scores != "auto":
            raise UsageError(f"scores that are added up, in mode {self.mode}", "leave it away: merges add no scores up")

    def _check_words(self) -> None:
        """Check what says how words are drawn."""
        for mode, chance in (("stochastic", self.stochastic), ("dropout", self.dropout)):
            if self.mode == mode and chance is None:
                raise UsageError(f"mode {mode} without a probability", "give one from 0 to 1")
            if chance is not None and self.mode != mode:
                raise UsageError(f"a probability of {mode} in {self._named}", "leave one of them away")
            if chance is not None and not 0 <= chance <= 1:
                raise UsageError(f"the probability of {mode} is {chance}", "accepted are numbers from 0 to 1")
        if self.counts is not None and self.mode != "stochastic":
            raise UsageError(f"token counts in {self._named}, which has no use for them", "use mode stochastic")
        if self.mode == "stochastic" and self.alpha != 0 and self.counts is None:
            what = f"alpha = {self.alpha} in mode stochastic, where merges have no probabilities"
            raise UsageError(what, "give token counts, or leave alpha away: all segmentations are equally likely")
        if self.mode == "dropout" and (self.alpha != 1 or self.length_weight != 1):
            raise UsageError("an alpha or a length weight in mode dropout", "leave it away, or use mode stochastic")

    def _check_lists(self) -> None:
        """Check what belongs to several segmentations of a record."""
        if self.nbest and self.drawn:
            remedy = "leave mode and alpha away, or draw unique samples"
            raise UsageError(f"the {self.nbest} best are not drawn, and mode {self.mode} draws", remedy)
        if self.nbest and self.mode == "canonical":
            raise UsageError(f"the {self.nbest} best in mode canonical, which has one", "leave one of them away")
        if self.nbest and (self.samples > 1 or self.unique):
            asked = "unique samples" if self.unique else f"{self.samples} samples"
            raise UsageError(f"the {self.nbest} best and {asked} exclude each other", "ask for one of them")
        if self.samples > 1 and not self.drawn:
            what = f"{self.samples} samples in {self._named}, which has one segmentation"
            raise UsageError(what, "give an alpha or mode sample, or ask for the n best")
        if self.unique and self.mode != "sample":
            remedy = "give an alpha or mode sample"
            raise UsageError(f"unique samples in {self._named}, which cannot draw them", remedy)
        if (self.nbest or self.unique) and (self.bos or self.eos):
            listed = "unique samples" if self.unique else f"the {self.nbest} best"
            raise UsageError(f"{listed} are written without bos and eos", "leave bos and eos away")

    def _check_output(self) -> None:
        if self.workers < 1:
            raise UsageError(f"{self.workers} workers", "give at least 1")
        if self.part is not None and not 1 <= self.part[0] <= self.part[1]:
            raise UsageError(f"part {self.part[0]} of {self.part[1]}", "parts are counted from 1")
        if self.engine not in ENGINES:
            raise UsageError(f"engine '{self.engine}'", f"accepted are {', '.join(ENGINES)}")
        if self.special is not None and self.special not in SPECIAL:
            raise UsageError(f"special tokens as '{self.special}'", f"accepted are {', '.join(SPECIAL)}")
        for name in self.columns:
            if name not in MEASURES:
                raise UsageError(f"column '{name}'", f"accepted are {', '.join(MEASURES)}")
