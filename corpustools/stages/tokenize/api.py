"""The stage as Python calls it: text files to ids, and ids to text.

`tokenize` is long because every option stands in its signature and is told in its docstring.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from corpustools.files.inputs import Paths, as_paths, inspect
from corpustools.machine import default_workers
from corpustools.progress import Progress
from corpustools.stages.tokenize import detokenize as lines_of_ids
from corpustools.stages.tokenize.request import TokenizeRequest, alpha_of, check_files, mode_of, seed_of
from corpustools.stages.tokenize.results import DetokenizeResult, TokenizeResult
from corpustools.stages.tokenize.run import carry_out
from corpustools.stages.tokenize.tokenizer import Tokenizer


def tokenize(
    model: Tokenizer | str | os.PathLike[str],
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    mode: str | None = None,
    alpha: float | None = None,
    stochastic: float | None = None,
    dropout: float | None = None,
    counts: str | os.PathLike[str] | None = None,
    count_tokens: str | os.PathLike[str] | None = None,
    length_weight: float = 1.0,
    seed: str | int | None = None,
    epoch: int = 0,
    samples: int = 1,
    unique: bool = False,
    nbest: int = 0,
    scores: str = "auto",
    format: str = "ids",  # noqa: A002  the option's name, as on the command line
    columns: str | Sequence[str] = (),
    field: str | None = None,
    skip_bad: bool = False,
    bos: bool = False,
    eos: bool = False,
    context: int = 0,
    pack: str = "concat",
    shards: int = 0,
    shard_tokens: int = 0,
    provenance: str | os.PathLike[str] | None = None,
    special: str | None = None,
    engine: str = "auto",
    part: tuple[int, int] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> TokenizeResult:
    """Write the token ids of the records (lines) of the inputs, in order.

    >>> tokenize("letters.vocab", "letters.txt", "letters.ids").tokens
    4

    Args:
        model: a tokenizer, or the path of a model file.
        inputs: a path or several; '-' or none is standard input. gz, zst, bz2 and xz are recognised by content.
        output: a path, which appears whole at the end, or '-' for standard output; .zst and .gz compress.
        mode: 'viterbi' (the best segmentation), 'canonical' (what the merges of a byte-pair model make), 'sample',
            'viterbi-sampling' (Su's first algorithm, biased), 'stochastic' or 'dropout' (see there). None is what the
            model's own library does, 'canonical' or 'viterbi'; with `alpha` it is 'sample'.
        alpha: the exponent of the probabilities, from 0 (uniform) on; None is 1.
        stochastic: of a byte-pair model: draw each word with this probability, and leave it canonical else. What is
            drawn is uniform among the word's segmentations, or as `counts`, `alpha` and `length_weight` have it.
        dropout: of a byte-pair model: leave each possible merge out of a step with this probability.
        counts: a file of token counts: their shares are the probabilities that `stochastic` draws by.
        count_tokens: a file that gets a line for each id that is written: the id, a tab and how often.
        length_weight: a factor for every token: below 1 prefers fewer, longer ones.
        seed: any text or number that the samples are a function of; None is a fresh one, told in the result.
        epoch: draws other samples under the same seed, 0 … 2^32 - 1.
        samples: segmentations of each record, one after another.
        unique: samples without replacement; fewer where there are fewer.
        nbest: so many best segmentations of each record, the best first; 0: not asked for.
        scores: how the scores of a best path are added up: 'auto' as the model's own library does, 'f64' in doubles,
            'f32' in single precision; see `Tokenizer.encode`.
        format: a key of `corpustools.formats.FORMATS`, such as 'ids', 'jsonl', 'npy' or 'megatron'.
        columns: for 'jsonl', of 'score', 'logprob', 'logz', 'entropy', 'length' and 'pieces'.
        field: records are JSON objects, and the text stands under this key, or rows of Parquet and Arrow files, and it
            stands in this column. 'a.b' is the key b of the object under a.
        skip_bad: pass over records that cannot be taken, and count them in `skipped`, instead of ending with an error.
        bos: begin every segmentation with the model's bos id.
        eos: end every segmentation with the model's eos id.
        context: lay documents out over windows of so many ids; 0: no windows.
        pack: 'concat' cuts documents where a window is full, and drops and counts an incomplete last window. 'best-fit'
            puts whole documents together and cuts only those longer than a window.
        shards: so many shards of about equally many ids, named by '{shard}' in `output`. 0: one output.
        shard_tokens: a shard ends with the document or window that brings it to so many ids. 0: one output.
        provenance: a file that gets a row a document: where it came from and where it begins in the output.
        special: what the text of a special token such as '</s>' becomes. 'library': what the model's own library makes
            of it, counted in the result. 'text': ids of ordinary text, never a special one. 'error': an error. None:
            what the tokenizer was loaded with, 'library' for a path.
        engine: what makes canonical ids. 'fast' is our engine, 'reference' the model's own library, about twenty times
            slower. 'auto' is our engine, and the library, where it is installed, encodes some documents too: those that
            begin in the first 256 KiB and one in ten thousand, of a run that reads 1 MiB or more. With `stochastic`
            these are the canonical ids that words are drawn among, and 'reference' is refused.
        part: (I, N) writes the I-th of N parts, which concatenate to the whole.
        workers: threads; None is one a processor.
        progress: called now and then with (phase, bytes done, bytes in all or None).

    Raises:
        UsageError: options out of range, or at odds with each other or the model.
        DataError: the model is damaged, an input is malformed, or holds what the vocabulary cannot write; or our engine
            and the model's own library make different ids of a document.
        UnsupportedModel: the model needs something that is not done here.
        SystemFailure: a file or the disk failed. Until the end the old output stays.
    """
    mode = mode_of(mode, alpha, stochastic, dropout)
    read = None if counts is None else os.fspath(counts)
    request = TokenizeRequest(
        mode=mode,
        alpha=alpha_of(alpha, mode, read),
        stochastic=stochastic,
        dropout=dropout,
        counts=read,
        count_tokens=None if count_tokens is None else os.fspath(count_tokens),
        length_weight=length_weight,
        seed=seed_of(seed, mode, part),
        epoch=epoch,
        samples=samples,
        unique=unique,
        nbest=nbest,
        scores=scores,
        format=format,
        columns=(columns,) if isinstance(columns, str) else tuple(columns),
        field=field,
        skip_bad=skip_bad,
        bos=bos,
        eos=eos,
        context=context,
        pack=pack,
        shards=shards,
        shard_tokens=shard_tokens,
        provenance=None if provenance is None else os.fspath(provenance),
        workers=default_workers() if workers is None else workers,
        part=part,
        special=special,
        engine=engine,
    )
    found, target = inspect(as_paths(inputs), tables=field is not None), os.fspath(output)
    check_files(found, target, _path(model), format)
    return carry_out(_tokenizer(model), found, target, request, progress)


def detokenize(
    model: Tokenizer | str | os.PathLike[str],
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    format: str = "ids",  # noqa: A002  the option's name, as on the command line
    to: str = "auto",
    progress: Progress | None = None,
) -> DetokenizeResult:
    """Write the text of lines of token ids, a line or an object each; lossless where the model is.

    >>> detokenize("letters.vocab", "letters.ids", "again.txt").records
    2

    Args:
        model: the tokenizer that made the ids, or the path of its model file.
        inputs: a path or several; '-' or none is standard input. gz, zst, bz2 and xz are recognised by content.
        output: a path, which appears whole at the end, or '-' for standard output; .zst and .gz compress.
        format: of the inputs: 'ids' (separated by spaces) or 'jsonl' (objects with `ids`).
        to: 'lines', 'jsonl' (objects with `text`, which may hold line breaks) or 'auto': jsonl where one of the first
            thousand texts, or of those in the first MiB, holds a line break, else lines. The result tells.
        progress: called now and then with (phase, bytes done, bytes in all or None).

    Raises:
        UsageError: there is no such format.
        DataError: a line that holds no ids, an id that the model does not have, a text that the output cannot hold, or
            a damaged model.
        UnsupportedModel: the model needs something that is not done here.
        SystemFailure: a file or the disk failed. Until the end the old output stays.
    """
    found, target = inspect(as_paths(inputs)), os.fspath(output)
    check_files(found, target, _path(model), None)
    return lines_of_ids.carry_out(_tokenizer(model), found, target, format, to, progress)


def _path(model: Tokenizer | str | os.PathLike[str]) -> str | None:
    return model.path if isinstance(model, Tokenizer) else os.fspath(model)


def _tokenizer(model: Tokenizer | str | os.PathLike[str]) -> Tokenizer:
    return model if isinstance(model, Tokenizer) else Tokenizer.load(model)
