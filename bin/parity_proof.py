"""Exact scores of two paths through one text, and whether rounding can explain that a library chose the other one."""

from dataclasses import dataclass
from fractions import Fraction

from corpustools.errors import DataError
from corpustools.stages.tokenize.lattice.paths import lattice_of, path_of


@dataclass(frozen=True)
class Proof:
    """What a difference is.

    kind: 'tie' (equal exact scores), 'near' (ours is better by what the peer's rounding may hide), 'behind' (ours is
        worse by what float64 may hide) or 'unexplained', with the reason.
    ours, theirs: the exact scores. bound: what the peer's rounding may hide in the stretches that differ.
    share: the largest difference of a stretch as a part of its bound.
    """

    kind: str
    reason: str = ""
    ours: Fraction = Fraction(0)
    theirs: Fraction = Fraction(0)
    bound: Fraction = Fraction(0)
    share: Fraction = Fraction(0)


class Prover:
    """Exact scores of paths under a model.

    Two paths differ in stretches between positions that both pass. At the end of a stretch the peer's best path had
    to be at least as good, in its own arithmetic, as our stretch behind the same beginning. A sum rounded to a
    significand of `digits` bits is off by at most u = 2^-digits of its value; so a sum behind k additions is off by
    at most u Σ|partial sum| / (1 - nu), where n counts all additions of the path and Σ is over those k. No peer can
    prefer a stretch that is worse by more than the bounds of both, and neither can we, with digits = 53. For partial
    sums stands the sum of all |score| so far, which bounds them wherever sums start again.

    Args:
        tokenizer: the model.
        digits: bits of the peer's significands: 24 for float32, 53 for float64.
    """

    def __init__(self, tokenizer, digits):
        self.model, self.digits = tokenizer.model, digits
        self.normalize = tokenizer.normalize
        self.weights = tokenizer._engine.weights("viterbi")
        ratios = [score.as_integer_ratio() for score in self.weights.scores.tolist()]
        # All scores as integers over one power of two: sums of integers are exact and cheap.
        self.unit = max(denominator for _, denominator in ratios)
        self.scores = [numerator * (self.unit // denominator) for numerator, denominator in ratios]

    def prove(self, text, ours, theirs):
        """Return the proof of one line on which ids differ."""
        normalized = self.normalize(text)
        paths = []
        for side, ids in (("our", ours), ("the peer's", theirs)):
            try:
                paths.append(self.path(normalized, ids))
            except DataError as error:
                return Proof("unexplained", f"{side} ids: {error}")
        exact = [Fraction(sum(self.scores[code] for code in path), self.unit) for path in paths]
        kind, reason, all_bounds, share = "tie", "", Fraction(0), Fraction(0)
        for mine, other, before in self.stretches(*paths):
            difference = Fraction(sum(self.scores[i] for i in mine) - sum(self.scores[i] for i in other), self.unit)
            bound = self.bound(mine, other, before[1], len(paths[0]) + len(paths[1]), self.digits)
            own = self.bound(mine, other, before[0], len(paths[0]) + len(paths[1]), 53)
            all_bounds += bound
            share = max(share, abs(difference) / bound) if bound else share
            if difference > bound:
                kind, reason = "unexplained", "the peer's path is worse than its rounding can hide"
            elif difference < -own:
                kind, reason = "unexplained", "our path is worse than our rounding can hide"
            elif difference and kind in ("tie", "near"):
                kind = "near" if difference > 0 else "behind"
            if reason:
                break
        return Proof(kind, reason, *exact, all_bounds, share)

    def path(self, normalized, ids):
        """Return the codes of the path that is written `ids`."""
        model = self.model
        if model.cuts == "none":
            at, pieces, arc = 0, model.pieces, model.arc
            for i in ids:
                if not (0 <= i < len(pieces) and arc[i] and normalized.startswith(pieces[i], at)):
                    break
                at += len(pieces[i])
            else:
                if at == len(normalized):
                    return ids
        # Unknown characters, byte pieces, cuts: through the lattice.
        return path_of(model, lattice_of(model, self.weights, normalized), ids)

    def stretches(self, ours, theirs):
        """Give (our codes, the peer's codes, Σ|score| before on our and on the peer's path) of each difference."""
        i = j = first_i = first_j = 0
        at_i = at_j = 0
        sums = before = (0, 0)
        while i < len(ours) or j < len(theirs):
            if at_i <= at_j:
                at_i, sums = at_i + self.size(ours[i]), (sums[0] + abs(self.scores[ours[i]]), sums[1])
                i += 1
            else:
                at_j, sums = at_j + self.size(theirs[j]), (sums[0], sums[1] + abs(self.scores[theirs[j]]))
                j += 1
            if at_i == at_j:
                mine, other = ours[first_i:i], theirs[first_j:j]
                if mine != other:
                    yield mine, other, before
                first_i, first_j, before = i, j, sums

    def bound(self, mine, other, before, additions, digits):
        """Return how much worse one of two stretches may be that is preferred behind partial sums up to `before`."""
        total = 0
        for stretch in (mine, other):
            partial = before
            for code in stretch:
                partial += abs(self.scores[code])
                total += partial
        return Fraction(total, self.unit * ((1 << digits) - additions))

    def size(self, code):
        """Return the bytes that an arc spans."""
        known = len(self.model.pieces)
        return len(self.model.pieces[code]) if code < known else code - known + 1
