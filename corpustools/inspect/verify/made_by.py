"""How an output was made, as the manifest of its run tells it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, replace
from typing import Any

from corpustools.errors import DataError, UsageError, from_os
from corpustools.files.inputs import STDIN
from corpustools.inspect.verify.request import VerifyRequest

# A manifest is small; a larger file beside an output is something else.
_LARGEST = 1 << 20
_SUFFIX = ".json"
# Of a tokenization, what verification asks for too.
_ASKED = (
    "format", "field", "skip_bad", "bos", "eos", "samples", "context", "pack", "mode", "alpha", "length_weight", "seed",
    "epoch", "unique", "nbest", "scores", "special", "stochastic", "dropout", "counts",
)  # fmt: skip


@dataclass(frozen=True)
class MadeBy:
    """What a manifest tells of the run that made an output.

    path: of the manifest.
    model: the path of the model as the run was given it.
    inputs: the paths of the inputs, likewise.
    output: the path of the output, likewise.
    options: by the names of the fields of VerifyRequest.
    """

    path: str
    model: str
    inputs: list[str]
    output: str
    options: dict[str, Any]

    def sources(self) -> list[str]:
        """Return the inputs as a source.

        Raises:
            UsageError: one was standard input.
        """
        if STDIN in self.inputs:
            raise UsageError(f"{self.path}: the output was made from standard input", "name the source")
        return self.inputs

    def completed(self, request: VerifyRequest) -> VerifyRequest:
        """Return a request with what it leaves open, or as it is by default, taken from the manifest.

        Raises:
            UsageError: the request says otherwise than the manifest.
        """
        defaults = {field.name: field.default for field in fields(VerifyRequest)}
        taken = {}
        for name, value in self.options.items():
            given = getattr(request, name)
            if given == defaults[name]:
                taken[name] = value
            elif given != value:
                raise UsageError(
                    f"{name.replace('_', ' ')} {given}, and {self.path} says {value}", "leave one of the two away"
                )
        return replace(request, **taken)


def read_manifest(path: str) -> MadeBy:
    """Return what a manifest tells of a tokenization.

    Raises:
        DataError: it is no manifest of one, or of one that cannot be verified.
        SystemFailure: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise from_os(error, f"{path}: cannot be read", "check the path and its permissions") from error
    made = _parsed(path, data)
    if made is None:
        raise DataError(
            f"{path}: is no manifest of corpus tokenize", "name the manifest that was written with the output"
        )
    return made


def find_manifest(output: str) -> MadeBy | None:
    """Return what a manifest beside an output tells of the run that made it; None where there is none.

    Raises:
        UsageError: there are several that differ.
        DataError: it is of a run that cannot be verified.
    """
    folder, name = os.path.split(output.rstrip("/"))
    found: list[MadeBy] = []
    try:
        entries = sorted(entry for entry in os.listdir(folder or ".") if entry.endswith(_SUFFIX))
    except OSError:
        return None
    for entry in entries:
        path = os.path.join(folder, entry)
        try:
            if not os.path.isfile(path) or os.path.getsize(path) > _LARGEST:
                continue
            with open(path, "rb") as file:
                made = _parsed(path, file.read(_LARGEST + 1))
        except OSError:
            continue
        if made is not None and os.path.basename(made.output.rstrip("/")) == name:
            found.append(made)
    for other in found[1:]:
        if (other.options, other.inputs, other.model) != (found[0].options, found[0].inputs, found[0].model):
            raise UsageError(f"{found[0].path} and {other.path} tell of '{name}' in different ways", "name one of them")
    return found[0] if found else None


def _parsed(path: str, data: bytes) -> MadeBy | None:
    """Return what bytes tell, if they are a manifest of a tokenization.

    Raises:
        DataError: a part of the output was made.
    """
    try:
        told = json.loads(data) if len(data) <= _LARGEST else None
        if not isinstance(told, dict) or told.get("command") != "tokenize":
            return None
        request = told["request"]
        options = {name: request[name] for name in _ASKED}
        inputs = [str(one["path"]) for one in told["inputs"]]
        model, output = str(told["model"]), str(told["output"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if request.get("part") is not None:
        raise DataError(f"{path}: tells of part {request['part']} of a run", "verify all parts together, without it")
    defaults = {field.name: field.default for field in fields(VerifyRequest)}
    for name, value in options.items():
        if defaults[name] is not None and type(value) is not type(defaults[name]):
            return None
    options["special"] = "text" if options["special"] == "text" else "library"
    return MadeBy(path, model, inputs, output, options)
