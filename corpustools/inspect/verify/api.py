"""Verification as Python calls it: a token output against its source, or a shuffled file against its inputs."""

from __future__ import annotations

import os

from corpustools.files.inputs import Paths, as_paths, inspect
from corpustools.inspect.verify.made_by import read_manifest
from corpustools.inspect.verify.request import VerifyRequest, record_format
from corpustools.inspect.verify.results import VerifyResult
from corpustools.inspect.verify.run import carry_out
from corpustools.machine import default_workers
from corpustools.progress import Progress
from corpustools.stages.tokenize.request import mode_of
from corpustools.stages.tokenize.tokenizer import Tokenizer


def verify(
    output: Paths,
    source: Paths,
    model: Tokenizer | str | os.PathLike[str] | None = None,
    *,
    made_by: str | os.PathLike[str] | None = None,
    format: str | None = None,  # noqa: A002  the option's name, as on the command line
    field: str | None = None,
    skip_bad: bool = False,
    bos: bool = False,
    eos: bool = False,
    samples: int = 1,
    context: int = 0,
    pack: str = "concat",
    mode: str | None = None,
    alpha: float | None = None,
    length_weight: float = 1.0,
    seed: str | int | None = None,
    epoch: int = 0,
    unique: bool = False,
    nbest: int = 0,
    scores: str = "auto",
    sample: int = 0,
    special: str | None = None,
    delimiter: bytes = b"\n",
    record_bytes: int = 0,
    header: int = 0,
    head_count: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> VerifyResult:
    """Hold an output against its source: every document is its record's text, in order, and nothing else is there.

    >>> verify("letters.ids", "letters.txt", "letters.vocab").documents
    2

    With a model the output holds token ids. A document agrees if its ids spell the text that the model segments for
    its record: if their pieces, one after another, are the normalised text. So samples can be verified like best
    segmentations. Without a model the output is a shuffled file: it has the records of the source, each as often. Rows
    of tables are compared so too.

    Args:
        output: the output: a file, a folder, what names of files begin with, or a pattern with {shard}; or several.
        source: a path or several, in the order of the output's run; '-' is standard input.
        model: the tokenizer that made the ids, or the path of its model file; None: the output is a shuffled file.
        made_by: the manifest of the run that made the ids. What it says need not be given again.
        format: of the output; None recognises it by the files.
        field: records of the source are JSON objects, or rows of tables, and the text stands under this field.
        skip_bad: records of the source that cannot be taken have no document.
        bos: every document begins with the model's bos id.
        eos: every document ends with its eos id.
        samples: documents of each record, one after another.
        context: the ids were cut into windows of so many, and an incomplete last one was dropped.
        pack: how they were: 'concat', or 'best-fit'. Where a document stands in windows of best fit depends on all
            others, so the source is tokenized and packed again, and the ids have to be the same. What they were drawn
            with is asked for only there.
        mode: how ids were made; see `tokenize`.
        alpha: the exponent of the probabilities; see `tokenize`.
        length_weight: the factor for every token; see `tokenize`.
        seed: what the samples are a function of.
        epoch: which samples under the seed.
        unique: samples without replacement.
        nbest: so many best segmentations of each record.
        scores: how scores were added up; see `tokenize`.
        sample: compare the text of about so many documents, evenly spread; 0: of all. All else is looked at in any
            case.
        special: what the text of a special token such as '</s>' became: 'library' or 'text'. None: what the tokenizer
            was loaded with, 'library' for a path.
        delimiter: of a shuffled file, the byte that ends a record: newline or NUL.
        record_bytes: of a shuffled file, the size of records of equal size; 0: they have a delimiter.
        header: of a shuffled file, so many records of the first input stand on top.
        head_count: a shuffled file has the first so many records of the shuffle; None: all of them. Each has to be in
            the source, at least as often.
        workers: threads; None is one a processor.
        progress: called now and then with (phase, bytes done, bytes in all or None).

    Raises:
        Difference: a document differs; the error says which, and has both versions.
        UsageError: options out of range, or at odds with each other or the model; windows of samples without a seed.
        DataError: files of the output do not fit each other, the model is damaged, or the source is malformed.
        SystemFailure: a file cannot be read.
    """
    request = VerifyRequest(
        format=format, field=field, skip_bad=skip_bad, bos=bos, eos=eos, samples=samples, context=context, pack=pack,
        mode=mode_of(mode, alpha), alpha=1.0 if alpha is None else alpha, length_weight=length_weight,
        seed=None if seed is None else str(seed), epoch=epoch, unique=unique, nbest=nbest, scores=scores,
        sample=sample, special=special, workers=default_workers() if workers is None else workers,
        form=record_format(delimiter, record_bytes, header), head_count=head_count,
    )  # fmt: skip
    if made_by is not None:
        made = read_manifest(os.fspath(made_by))
        request, model = made.completed(request), made.model if model is None else model
    found = inspect(as_paths(source), tables=model is None or request.field is not None)
    return carry_out(model, as_paths(output), found, request, progress)
