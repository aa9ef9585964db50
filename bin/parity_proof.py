"""Exact scores of two paths through one text, and whether rounding can explain that a library chose the other one."""

import itertools
from dataclasses import dataclass
from fractions import Fraction

from corpustools.errors import DataError
from corpustools.tokenize.paths import lattice_of, path_of


@dataclass(frozen=True)
class Proof:
    """What a difference is.

    kind: 'tie' (equal exact scores), 'near' (ours is better by what the peer's rounding may hide), 'behind' (ours is
        worse by what float64 may hide) or 'unexplained', with the reason.
    """

    kind: str
    reason: str = ""
    ours: Fraction = Fraction(0)
    theirs: Fraction = Fraction(0)
    bound: Fraction = Fraction(0)
    own_bound: Fraction = Fraction(0)


class Prover:
    """Exact scores of paths under a model.

    Args:
        tokenizer: the model.
        digits: bits of the peer's significands: 24 for float32, 53 for float64.
    """

    def __init__(self, tokenizer, digits):
        self.tokenizer, self.digits = tokenizer, digits
        self.law = tokenizer.law("viterbi")
        ratios = [score.as_integer_ratio() for score in self.law.scores.tolist()]
        # All scores as integers over one power of two: sums of integers are exact and cheap.
        self.unit = max(denominator for _, denominator in ratios)
        self.scores = [numerator * (self.unit // denominator) for numerator, denominator in ratios]

    def prove(self, text, ours, theirs):
        """Return the proof of one line on which ids differ."""
        normalized = self.tokenizer.normalize(text)
        paths = []
        for side, ids in (("our", ours), ("the peer's", theirs)):
            try:
                paths.append(self.path(normalized, ids))
            except DataError as error:
                return Proof("unexplained", f"{side} ids: {error}")
        exact = [Fraction(sum(self.scores[code] for code in path), self.unit) for path in paths]
        bound = sum(self.rounding(path, self.digits) for path in paths)
        own = sum(self.rounding(path, 53) for path in paths)
        difference = exact[0] - exact[1]
        if difference > bound:
            return Proof("unexplained", "the peer's path is worse than its rounding can hide", *exact, bound, own)
        if difference < -own:
            return Proof("unexplained", "our path is worse than our rounding can hide", *exact, bound, own)
        kind = "tie" if difference == 0 else "near" if difference > 0 else "behind"
        return Proof(kind, "", *exact, bound, own)

    def path(self, normalized, ids):
        """Return the codes of the path that is written `ids`."""
        model = self.tokenizer.model
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
        return path_of(model, lattice_of(model, self.law, normalized), ids)

    def rounding(self, path, digits):
        """Return a bound on how far a path's rounded sum lies from its exact one.

        A sum rounded to `digits` bits is off by at most u = 2^-digits of itself. With e the error so far and S the
        exact partial sum, |e'| <= |e| + u(|S| + |e|), so that |e| <= u Σ|S| (1 + u)^n <= u Σ|S| / (1 - nu). For |S|
        stands the sum of all |score| so far: it bounds every stretch of the path too, wherever sums start again. The
        best of rounded sums is the rounded sum of some path, since rounding keeps order; so neither path can have
        been preferred by more than both their errors.
        """
        partial = sum(itertools.accumulate(abs(self.scores[code]) for code in path))
        return Fraction(partial, self.unit * ((1 << digits) - len(path)))
