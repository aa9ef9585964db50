"""bytepiece `.model`: JSON, {base64 of the piece: [id, text, count]}; every byte is a piece of its own."""

from __future__ import annotations

import binascii
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.nfc import NfcNormalizer

SPECIAL = ("pad", "bos", "eos")  # ids 0, 1, 2


def parse(content: dict[str, Any], name: str) -> Model:
    """Return the model of a bytepiece JSON object. Scores are log(count) - log(sum of the counts).

    Raises:
        DataError: an entry is malformed, or ids are not 3, 4, 5 ….
        UnsupportedModel: a single byte is missing, so that some text has no segmentation.
    """
    pieces = [b""] * (len(content) + len(SPECIAL))
    counts = np.zeros(len(pieces), np.float64)
    for key, value in content.items():
        i: Any = None
        count: Any = None
        if isinstance(value, list) and len(value) == 3:
            i, _, count = value
        if type(i) is not int or type(count) not in (int, float) or not 0 < count < 2**63:
            raise DataError(f"{name}: the entry of {key!r} is not [id, text, count]")
        try:
            piece = binascii.a2b_base64(key, strict_mode=True)
        except ValueError as error:
            raise DataError(f"{name}: the key {key!r} is not base64") from error
        if not len(SPECIAL) <= i < len(pieces) or pieces[i] or not piece:
            raise DataError(f"{name}: the id {i} of {key!r} is out of range, given twice, or of an empty piece")
        pieces[i] = piece
        counts[i] = count
    known = set(pieces)
    if len(known) != len(content) + 1:
        raise DataError(f"{name}: a piece is defined twice")
    missing = [byte for byte in range(256) if bytes([byte]) not in known]
    if missing:
        raise UnsupportedModel(f"{name} has no piece for the byte 0x{missing[0]:02X}")
    arc = np.arange(len(pieces)) >= len(SPECIAL)
    scores = np.zeros(len(pieces), np.float64)
    scores[arc] = np.log(counts[arc]) - np.log(counts.sum())
    return Model(
        kind="bytepiece",
        pieces=pieces,
        scores=scores,
        arc=arc,
        weighted=True,
        unit="byte",
        unknown_id=None,
        unknown_score=0.0,
        fuse_unknown=False,
        byte_ids=None,
        user_defined=np.zeros(len(pieces), np.bool_),
        control={role: i for i, role in enumerate(SPECIAL)},
        normalizer=NfcNormalizer(),
        cuts="newline-runs",
        invisible=frozenset(range(len(SPECIAL))),
    )
