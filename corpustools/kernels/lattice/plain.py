"""The segmentation lattice in plain Python: the twin of lattice.pyx, block by block and arc by arc as it is defined.

Numbers that may leave a double's range are pairs: a mantissa in [0.5, 1) and an exponent of two. Every sum and
product is rounded as the kernel rounds it, so ids and measures are the same, bit for bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from corpustools.kernels.order.plain import block as philox
from corpustools.kernels.vocabulary import plain as vocabulary_plain

VITERBI, VITERBI_F32, SAMPLE, SAMPLE_WIDE, ARRIVAL = range(5)
STATE_SIZE, MOMENTS_SIZE, MOMENT_SIZE, CACHE_SIZE, WINDOW_SIZE, OUT_SLACK = 64, 32, 32, 8, 8, 0
CHUNK_BYTES = 48
_NARROW = 2.0**-10
_MASK = (1 << 64) - 1
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_F32_RESET = 100000.0  # kScoreResetThreshold of SentencePiece 0.2.3

Pair = tuple[float, int]
Arc = tuple[int, int]  # bytes, code


def workspace_size(cells: int, arcs: int) -> int:
    """Return the bytes of a workspace; the twin needs none."""
    return 0


def draw_bits(key0: int, key1: int, position: int, lane: int) -> int:
    """Return the 64 bits drawn at a position: SplitMix64 from the record's own start, under a second word."""
    x = (key0 + position * 0x9E3779B97F4A7C15 + lane * 0xD1342543DE82EF95) & _MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return (x ^ x >> 31) ^ key1


def draw(key0: int, key1: int, position: int, lane: int = 0) -> float:
    """Return the draw as a number in [0, 1)."""
    return (draw_bits(key0, key1, position, lane) >> 11) * 2.0**-53


def record_keys(record: int, sample: int, seed: Any) -> tuple[int, int]:
    """Return the two words that key a record's draws: Philox4x64-10 of (record, sample, 0, 0)."""
    words = philox(np.array([record], np.uint64), int(seed[0]), int(seed[1]), sample)
    return int(words[0, 0]), int(words[0, 1])


def add(a: Pair, b: Pair) -> Pair:
    """Return a + b, rounded once."""
    if a[0] == 0.0 or b[0] == 0.0:
        return a if b[0] == 0.0 else b
    if a[1] < b[1]:
        a, b = b, a
    shift = b[1] - a[1]
    mantissa, exponent = math.frexp(a[0] + (math.ldexp(b[0], shift) if shift >= -1100 else 0.0))
    return mantissa, exponent + a[1]


def times(a: Pair, b: Pair) -> Pair:
    """Return a · b, rounded once."""
    mantissa, exponent = math.frexp(a[0] * b[0])
    return mantissa, exponent + a[1] + b[1]


def less(a: Pair, b: Pair) -> bool:
    """Say whether a < b; both are normalised or zero."""
    if a[0] == 0.0 or b[0] == 0.0:
        return a[0] < b[0]
    return (a[1], a[0]) < (b[1], b[0])


class Lattice:
    """A vocabulary ready to segment with.

    Args:
        units, heads: the trie (kernels/lattice/trie.h).
        nodes, starts: both once more, each beside the weight or score of the piece that ends there
            (kernels/lattice/lattice.h); None for SAMPLE_WIDE and ARRIVAL. The twin looks up by code.
        lengths: bytes of each code's arc: of every id, then 1, 2, 3, 4 for unknown characters; uint32.
        scores: log p by code, float64; for VITERBI_F32 float32 values.
        weights, exponents: weights by code; doubles for SAMPLE, else mantissas; and their exponents of two.
        byte_ids: 256 ids that an unknown character is written in, int32, or None.
        joins: bits of the neighbouring characters that some piece holds (kernels/lattice/chunks.h).
        longest: bytes of the longest piece, at least 4.
        arcs_per_start: the most arcs that start at one position.
        character: positions are characters of UTF-8, else bytes.
        unknown_id: the id of an unknown character, or -1.
        fuse: neighbouring unknown characters are one token.
        escaped: among positions that are bytes, one from F5 on begins a character of four, which is one position.
        carry: the sums of VITERBI do not start again at a cut, as in the model's own library.
        automaton, lines, single_values: the same vocabulary in another form (tokenize/automaton.py), for the
            kernel's fast engine; or None.
    """

    def __init__(
        self,
        units: Any,
        heads: Any,
        nodes: Any,
        starts: Any,
        lengths: Any,
        scores: Any,
        weights: Any,
        exponents: Any,
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
        automaton: Any = None,
        lines: Any = None,
        single_values: Any = None,
    ) -> None:
        self.units = units
        self.pieces = len(lengths) - 4
        self.lengths = lengths.tolist()
        self.scores = scores.tolist()
        self.weights = weights
        self.exponents = exponents
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
        step = _character_length(text, at) if whole else 1
        arcs = list(vocabulary_plain.prefixes(self.units, text, at))
        if self.character and not _is_character(text[at : at + step]):
            arcs = []
        if all(length != step for length, _ in arcs):
            arcs.append((step, self.pieces + step - 1))
            arcs.sort()
        return step, arcs

    def joined(self, before: int, code: int) -> bool:
        """Say whether two code points may be neighbours in a piece."""
        bit = vocabulary_plain.join_bit(before, code, self.join_shift)
        return bool(int(self.joins[bit >> 3]) >> (bit & 7) & 1)

    def chunks(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Give the chunks of one lattice's text with their first bytes: up to where no arc can span."""
        at = begin = 0
        before = -1
        while at < len(text):
            length = _character_length(text, at)
            code = _code_point(text[at : at + length])
            if at > begin and not self.joined(before, code):
                yield begin, text[begin:at]
                begin = at
            before = code
            at += length
        if at > begin:
            yield begin, text[begin:]

    def path(self, text: bytes, mode: int, keys: tuple[int, int], origin: int) -> tuple[list[int], list[Pair]]:
        """Return the codes of one lattice's path and the weights of its blocks."""
        if not self.character or mode == ARRIVAL:
            return _Forward(self, text, mode, keys, origin).run()
        codes: list[int] = []
        blocks: list[Pair] = []
        carried = 0.0
        for at, chunk in self.chunks(text):
            forward = _Forward(self, chunk, mode, keys, origin + at, len(chunk) <= CHUNK_BYTES, carried)
            more, weights = forward.run()
            carried = forward.carried
            codes += more
            blocks += weights
        return codes, blocks

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

    def record(self, text: bytes, mode: int, cuts: int, keys: tuple[int, int]) -> tuple[list[int], float, float]:
        """Return a record's ids, score and log Z."""
        ids: list[int] = []
        score, mantissa, exponent, origin = 0.0, 1.0, 0, 0
        for origin, part in parts(text, cuts):
            codes, blocks = self.path(part, mode, keys, origin)
            for code in codes:
                score += self.scores[code]
            for weight in blocks:
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
                keys = record_keys((first_record + i) & _MASK, (first_sample + k) & _MASK, seed)
                ids, score, log_z = self.record(record, mode, cuts, keys)
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
        state.view(np.uint64)[:2] = record_keys(record, sample, seed)

    def keys(self, state: Any) -> tuple[int, int]:
        """Return the two words that the record's draws are keyed by."""
        key0, key1 = state.view(np.uint64)[:2].tolist()
        return key0, key1

    def advance(
        self, state: Any, text: Any, base: int, size: int, final: bool, *, mode: int, cuts: int, out: Any,
        **workspace: Any,
    ) -> tuple[int, bool]:  # fmt: skip
        """Carry a record on; the twin needs all of it, so nothing is written before the last part."""
        if not final:
            return 0, False
        keys = self.keys(state)
        ids, score, log_z = self.record(bytes(text[:size]), mode, cuts, keys)
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
            for block_z, surprise, tokens in self._moments(part, log_weights):
                log_z += block_z
                entropy += block_z - surprise
                length += tokens
        return log_z, entropy, length, size

    def _moments(self, text: bytes, log_weights: Any) -> Iterator[tuple[float, float, float]]:
        """Give log Z and the means of log weight and of tokens, block by block."""
        sums: dict[int, list[float]] = {}
        here = reach = 0
        while True:
            m, surprise, tokens, exponent = sums.pop(here, [0.5, 0.0, 0.0, 1])
            if here:
                surprise, tokens = surprise / m, tokens / m
                m, more = math.frexp(m)
                exponent += more
            if here == reach:
                if here:
                    yield math.log(m) + _LN2 * exponent, surprise, tokens
                m, surprise, tokens, exponent = 0.5, 0.0, 0.0, 1
            if here == len(text):
                return
            step, arcs = self.starting(text, here)
            for size, code in arcs:
                reach = max(reach, here + size)
                product = m * float(self.weights[code])
                scale = exponent + int(self.exponents[code])
                cell = sums.setdefault(here + size, [0.0, 0.0, 0.0, scale])
                if scale > cell[3]:
                    cell[:3] = [math.ldexp(x, max(-2000, int(cell[3] - scale))) for x in cell[:3]]
                    cell[3] = scale
                else:
                    product = math.ldexp(product, max(-2000, int(scale - cell[3])))
                cell[0] += product
                cell[1] += product * (surprise + float(log_weights[code]))
                cell[2] += product * (tokens + 1.0)
            here += step

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


class _Forward:
    """One pass over one lattice or chunk, which goes from cut to cut; `carries`: it is drawn as one."""

    def __init__(
        self,
        lattice: Lattice,
        text: bytes,
        mode: int,
        keys: tuple[int, int],
        origin: int,
        carries: bool = False,
        carried: float = 0.0,
    ) -> None:
        self.lattice, self.text, self.mode, self.keys, self.origin = lattice, text, mode, keys, origin
        self.sampling = mode in (SAMPLE, SAMPLE_WIDE)
        self.carries = carries and self.sampling
        # The sum of scores where it does not start again at a cut.
        self.carried = carried
        # By position: the arcs into it as (weight of those before it, bytes, code), and what the cell holds.
        self.into: dict[int, list[tuple[Pair, int, int]]] = {}
        self.cells: dict[int, Any] = {}
        self.whole: dict[int, Pair] = {}
        self.codes: list[int] = []
        self.blocks: list[Pair] = []

    def run(self) -> tuple[list[int], list[Pair]]:
        """Return the path's codes and the weights of its blocks."""
        start = here = reach = 0
        while True:
            if here == reach:
                if here > start:
                    if not self.carries:
                        self.codes += self._back(start, here)
                        self.into.clear()
                    self.carried = self.cells[here]
                    if self.sampling:
                        self.blocks.append(self.cells[here])
                    del self.cells[start]
                    self.whole.update(self.cells)
                start = here
                self.cells = {here: (0.5, 1) if self.mode >= SAMPLE else 0.0}
                if self.mode == VITERBI_F32 or (self.mode == VITERBI and self.lattice.carry):
                    self.cells[here] = self.carried
            if here == len(self.text):
                if self.carries:
                    self.codes = self._back_as_one(here)
                return self.codes, self.blocks
            if self.mode == VITERBI_F32 and abs(self.cells[here]) > _F32_RESET:
                offset = self.cells[here]
                for at in self.cells:
                    if at >= here:
                        self.cells[at] = float(np.float32(self.cells[at] - offset))
            step, arcs = self.lattice.starting(self.text, here)
            for length, code in arcs:
                reach = max(reach, here + length)
                self._add(here, length, code)
            here += step

    def _add(self, here: int, length: int, code: int) -> None:
        to = here + length
        arcs = self.into.setdefault(to, [])
        if self.mode in (VITERBI, VITERBI_F32):
            score = self.cells[here] + self.lattice.scores[code]
            if self.mode == VITERBI_F32:
                score = float(np.float32(score))
            if not arcs or score > self.cells[to]:
                self.cells[to] = score
                arcs[:] = [((0.0, 0), length, code)]
            return
        weight = times(self.cells[here], self.lattice.weight(code, self.mode))
        before = self.cells.get(to, (0.0, 0))
        if self.mode == ARRIVAL:
            if arcs:
                both = add(before, weight)
                u = draw(*self.keys, self.origin + to, length)
                if not less(times((u, 0), both), weight):
                    return
            self.cells[to] = weight
            arcs[:] = [((0.0, 0), length, code)]
            return
        arcs.append((before, length, code))
        self.cells[to] = add(before, weight)

    def _back(self, start: int, end: int) -> list[int]:
        codes = []
        while end > start:
            arcs = self.into[end]
            pick = 0
            if len(arcs) > 1:
                point = times((draw(*self.keys, self.origin + end), 0), self.cells[end])
                pick = max(i for i, arc in enumerate(arcs) if not less(point, arc[0]))
            codes.append(arcs[pick][2])
            end -= arcs[pick][1]
        return codes[::-1]

    def _back_as_one(self, end: int) -> list[int]:
        """Follow the path that one draw selects: every arc takes its share of the interval that is left."""
        codes = []
        point, low, high = draw(*self.keys, self.origin + end), 0.0, 1.0
        while end > 0:
            if high - low < _NARROW:
                point, low, high = draw(*self.keys, self.origin + end), 0.0, 1.0
            arcs = self.into[end]
            mantissa, exponent = self.whole[end]
            shares = [math.ldexp(m * (1.0 / mantissa), max(-2000, e - exponent)) for (m, e), _, _ in arcs[1:]]
            bounds = [low, *(min(low + share * (high - low), high) for share in shares), high]
            pick = max(i for i in range(len(arcs)) if i == 0 or not point < bounds[i])
            if len(arcs) > 1:
                low, high = bounds[pick], bounds[pick + 1]
            codes.append(arcs[pick][2])
            end -= arcs[pick][1]
        return codes[::-1]


def parts(text: bytes, cuts: int) -> Iterator[tuple[int, bytes]]:
    """Give the lattices of a record with their first bytes: one, up to newline runs, or between marks 0xFF."""
    at = 0
    while at < len(text):
        end, after = len(text), len(text)
        if cuts == 1:
            newline = text.find(b"\n", at)
            while 0 <= newline < len(text) - 1 and text[newline + 1] == 0x0A:
                newline += 1
            end = after = newline + 1 if newline >= 0 else len(text)
        elif cuts == 2:
            mark = text.find(b"\xff", at)
            end, after = (mark, mark + 1) if mark >= 0 else (len(text), len(text))
        if end > at:
            yield at, text[at:end]
        at = after


def _character_length(text: bytes, at: int) -> int:
    first = text[at]
    return min(1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4, len(text) - at)


def _code_point(text: bytes) -> int:
    """Return the code point of a character by its first byte alone, as the kernel does for malformed ones too."""
    code = text[0] & (0xFF, 0xFF, 0x1F, 0x0F, 0x07)[len(text)]
    for byte in text[1:]:
        code = code << 6 | byte & 0x3F
    return code


def _is_character(text: bytes) -> bool:
    # As in the kernel: surrogates and private characters pass, overlong forms and torn characters begin no piece.
    if len(text) == 4 and text[0] >= 0xF5:
        return True
    try:
        return len(text.decode("utf-8", "surrogatepass")) == 1
    except UnicodeDecodeError:
        return False


def format_ids(ids: Any, ends: Any, first: int, lines: int, table: Any, out: Any) -> int:
    """Write lines of decimal ids, one space between two; return the bytes written."""
    bounds = [first, *(int(end) for end in ends[:lines])]
    if any(a > b for a, b in itertools.pairwise(bounds)):
        raise ValueError("ends are not in ascending order")
    values = ids.tolist()
    text = b"".join(b" ".join(b"%d" % i for i in values[a:b]) + b"\n" for a, b in itertools.pairwise(bounds))
    memoryview(out)[: len(text)] = text
    return len(text)
