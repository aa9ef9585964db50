"""The segmentation lattice in plain Python: the twin of compiled.pyx, bit for bit, as tests hold.

The pass over one lattice is in plain_forward.py. Whoever wants to know how it works reads tests/lattice_reference.py
first, which does the same in exact arithmetic and a page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from corpustools.kernels.lattice.modes import ARRIVAL, SAMPLE, SAMPLE_WIDE, VITERBI, VITERBI_F32
from corpustools.kernels.lattice.plain_forward import Arc, Forward, Pair, moments, record_draw_state
from corpustools.kernels.lattice.plain_text import character_length, code_point, is_character, parts
from corpustools.kernels.lattice.plain_words import measure_words, segment_words
from corpustools.kernels.vocabulary import plain as vocabulary_plain

__all__ = [
    "ARRIVAL",
    "CACHE_SIZE",
    "LEAST_WORD_CACHE",
    "MOMENTS_SIZE",
    "MOMENT_SIZE",
    "OUT_SLACK",
    "SAMPLE",
    "SAMPLE_WIDE",
    "SPAN_BYTES",
    "STATE_SIZE",
    "TILE_SIZE",
    "VITERBI",
    "VITERBI_F32",
    "Lattice",
    "measure_words",
    "segment_words",
    "workspace_size",
]

STATE_SIZE, MOMENTS_SIZE, MOMENT_SIZE, CACHE_SIZE, TILE_SIZE, LEAST_WORD_CACHE, OUT_SLACK = 64, 32, 32, 8, 8, 8, 0
SPAN_BYTES = 48
_MASK = (1 << 64) - 1
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")


def workspace_size(cells: int, arcs: int) -> int:
    """Return the bytes of a workspace; the twin needs none."""
    return 0


class Lattice:
    """A vocabulary ready to segment with.

    Args:
        trie: (units, heads, nodes, starts). units, heads: kernels/lattice/trie.h. nodes, starts: both once more, each
            beside the weight or score of the piece that ends there (lattice.h); None for SAMPLE_WIDE and ARRIVAL.
        by_code: (lengths, scores, weights, exponents), each of every id and then of unknown characters of 1 … 4 bytes.
            lengths: bytes of the arc, uint32. scores: log p, float64; for VITERBI_F32 float32 values. weights,
            exponents: doubles for SAMPLE, else mantissas; and their exponents of two, int32.
        byte_ids: 256 ids that an unknown character is written in, int32, or None.
        joins: bits of the neighbouring characters that some piece holds (spans.h).
        longest: bytes of the longest piece, at least 4.
        arcs_per_start: the most arcs that start at one position.
        character: positions are characters of UTF-8, else bytes.
        unknown_id: the id of an unknown character, or -1.
        fuse: neighbouring unknown characters are one token.
        escaped: among positions that are bytes, one from F5 on begins a character of four, which is one position.
        carry: the sums of VITERBI do not start again at a cut, as in the model's own library.
        automaton: (tables, lines, single_values): the same vocabulary in another form (automaton.h), or None.

    The twin has one way to find arcs and never runs out of room, so it has no use for nodes, starts, longest,
    arcs_per_start and automaton, nor for any workspace that its methods are given.
    """

    def __init__(
        self,
        trie: tuple[Any, Any, Any, Any],
        by_code: tuple[Any, Any, Any, Any],
        byte_ids: Any,
        joins: Any,
        *,
        longest: int,
        arcs_per_start: int,
        character: bool,
        unknown_id: int,
        fuse: bool,
        escaped: bool = False,
        carry: bool = False,
        automaton: tuple[Any, Any, Any] | None = None,
    ) -> None:
        self.units = trie[0]
        lengths, scores, self.weights, self.exponents = by_code
        self.pieces = len(lengths) - 4
        self.lengths = lengths.tolist()
        self.scores = scores.tolist()
        self.byte_ids = None if byte_ids is None else byte_ids.tolist()
        self.character = character
        self.escaped = escaped
        self.carry = carry
        self.joins = joins
        self.join_shift = 32 - (8 * len(joins) - 1).bit_length()
        self.unknown_id = unknown_id
        self.fuse = fuse

    def weight(self, code: int, mode: int) -> Pair:
        """Return an arc's weight."""
        if mode == SAMPLE:
            return math.frexp(float(self.weights[code]))
        return float(self.weights[code]), int(self.exponents[code])

    def starting(self, text: bytes, at: int) -> tuple[int, list[Arc]]:
        """Return the bytes to the next position, and the arcs that start at one, shortest first."""
        whole = self.character or (self.escaped and text[at] >= 0xF5)
        step = character_length(text, at) if whole else 1
        arcs = list(vocabulary_plain.prefixes(self.units, text, at))
        if self.character and not is_character(text[at : at + step]):
            arcs = []
        if all(length != step for length, _ in arcs):
            arcs.append((step, self.pieces + step - 1))
            arcs.sort()
        return step, arcs

    def joined(self, before: int, code: int) -> bool:
        """Say whether two code points may be neighbours in a piece."""
        bit = vocabulary_plain.join_bit(before, code, self.join_shift)
        return bool(int(self.joins[bit >> 3]) >> (bit & 7) & 1)

    def spans(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Give the spans of one lattice's text with their first bytes: up to where no arc can span."""
        at = begin = 0
        before = -1
        while at < len(text):
            length = character_length(text, at)
            code = code_point(text[at : at + length])
            if at > begin and not self.joined(before, code):
                yield begin, text[begin:at]
                begin = at
            before = code
            at += length
        if at > begin:
            yield begin, text[begin:]

    def path(self, text: bytes, mode: int, draw_state: tuple[int, int], origin: int) -> tuple[list[int], list[Pair]]:
        """Return the codes of one lattice's path and the weights of its segments."""
        if not self.character or mode == ARRIVAL:
            return Forward(self, text, mode, draw_state, origin).run()
        codes: list[int] = []
        segments: list[Pair] = []
        carried = 0.0
        for at, span in self.spans(text):
            forward = Forward(self, span, mode, draw_state, origin + at, len(span) <= SPAN_BYTES, carried)
            more, weights = forward.run()
            carried = forward.carried
            codes += more
            segments += weights
        return codes, segments

    def write(self, text: bytes, codes: list[int]) -> list[int]:
        """Return the ids of a path; -1 where there is none for a character."""
        ids: list[int] = []
        at, behind_unknown = 0, False
        for code in codes:
            length = self.lengths[code]
            if code < self.pieces:
                ids.append(code)
            elif self.byte_ids is not None:
                ids.extend(self.byte_ids[byte] for byte in text[at : at + length])
            elif not (self.fuse and behind_unknown):
                ids.append(self.unknown_id)
            behind_unknown = code >= self.pieces
            at += length
        return ids

    def record(self, text: bytes, mode: int, cuts: int, draw_state: tuple[int, int]) -> tuple[list[int], float, float]:
        """Return a record's ids, score and log Z."""
        ids: list[int] = []
        score, mantissa, exponent, origin = 0.0, 1.0, 0, 0
        for origin, part in parts(text, cuts):
            codes, segments = self.path(part, mode, draw_state, origin)
            for code in codes:
                score += self.scores[code]
            for weight in segments:
                mantissa, more = math.frexp(mantissa * weight[0])
                exponent += more + weight[1]
            ids += self.write(part, codes)
        return ids, score, math.log(mantissa) + _LN2 * exponent

    def segment(
        self, text: Any, offsets: Any, count: int, *, mode: int, cuts: int, seed: Any, first_record: int,
        first_sample: int, samples: int, bos: int, eos: int, out: Any, ends: Any, measures: Any, first: int = 0,
        **workspace: Any,
    ) -> int:  # fmt: skip
        """Segment records; return how many are done, or -1 - i where record i cannot be written."""
        if not VITERBI <= mode <= ARRIVAL:
            raise ValueError(f"no mode {mode}")
        view = memoryview(text)
        used = int(ends[first * samples - 1]) if first else 0
        for i in range(first, count):
            record = bytes(view[int(offsets[i]) : int(offsets[i + 1])])
            for k in range(samples):
                draw_state = record_draw_state((first_record + i) & _MASK, (first_sample + k) & _MASK, seed)
                ids, score, log_z = self.record(record, mode, cuts, draw_state)
                if -1 in ids:
                    return -1 - i
                ids = [bos] * (bos >= 0) + ids + [eos] * (eos >= 0)
                out[used : used + len(ids)] = ids
                used += len(ids)
                ends[i * samples + k] = used
                if measures is not None:
                    measures[i * samples + k] = score, log_z
        return count

    def begin(self, state: Any, record: int, sample: int, seed: Any) -> None:
        """Set `state` to the start of a record that comes in parts."""
        state[:] = 0
        state.view(np.uint64)[:2] = record_draw_state(record, sample, seed)

    def draw_state(self, state: Any) -> tuple[int, int]:
        """Return the two words that the record's draws are made from."""
        key0, key1 = state.view(np.uint64)[:2].tolist()
        return key0, key1

    def advance(
        self, state: Any, text: Any, base: int, size: int, final: bool, *, mode: int, cuts: int, out: Any,
        **workspace: Any,
    ) -> tuple[int, bool]:  # fmt: skip
        """Carry a record on; the twin needs all of it, so nothing is written before the last part."""
        if not final:
            return 0, False
        draw_state = self.draw_state(state)
        ids, score, log_z = self.record(bytes(text[:size]), mode, cuts, draw_state)
        state.view(np.float64)[2:4] = score, log_z
        state.view(np.uint64)[4:6] = size, -1 in ids
        out[: len(ids)] = ids
        return len(ids), False

    def standing(self, state: Any) -> tuple[int, float, float, bool]:
        """Return (first byte still needed, score, log Z, whether a character cannot be written)."""
        score, log_z = state.view(np.float64)[2:4].tolist()
        needed, unencodable = state.view(np.uint64)[4:6].tolist()
        return needed, score, log_z, bool(unencodable)

    def measure(
        self, state: Any, ring: Any, log_weights: Any, text: Any, base: int, size: int, final: bool, cuts: int
    ) -> tuple[float, float, float, int]:
        """Return log Z, entropy, expected length and the first byte still needed; only the last part counts."""
        if not final:
            return 0.0, 0.0, 0.0, 0
        log_z = entropy = length = 0.0
        for _, part in parts(bytes(text[:size]), cuts):
            for segment_z, surprise, tokens in moments(self, part, log_weights):
                log_z += segment_z
                entropy += segment_z - surprise
                length += tokens
        return log_z, entropy, length, size

    def arcs(self, text: Any, size: int, out: Any, capacity: int) -> int:
        """Write start, length and code of every arc of one lattice; return how many there are."""
        data, here, count = bytes(text[:size]), 0, 0
        while here < size:
            step, arcs = self.starting(data, here)
            for length, code in arcs:
                if count < capacity:
                    out[3 * count : 3 * count + 3] = here, length, code
                count += 1
            here += step
        return count
