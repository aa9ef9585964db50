"""Where a Unigram model of the tokenizers library treats unknown text unlike a lattice of pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from corpustools.stages.tokenize.text.hf_split import CUT as JOINT
from corpustools.stages.tokenize.text.hf_text import CUT, UNWRITABLE, private


@dataclass(frozen=True)
class KnownOnly:
    """Lets a part pass whose characters are all pieces, and makes any other one unwritable.

    That is a model without unknown token: the library raises an error.
    """

    characters: frozenset[str]

    def passes(self, parts: str) -> bool:
        """Say whether parts, joined by characters that no text has, are left as they are."""
        return self.characters.issuperset(parts.replace(JOINT, ""))

    def __call__(self, part: str) -> bytes:
        """Return the bytes of a part."""
        return part.encode() if self.characters.issuperset(part) else UNWRITABLE

    def without_special(self, pieces: frozenset[bytes], ids: frozenset[int]) -> KnownOnly:
        """Return the same where special tokens are no pieces."""
        return KnownOnly(frozenset(one for one in self.characters if one.encode() not in pieces))


class UnknownPiece:
    """The text of the unknown token, where the model meets it: the library fuses it with unknown text beside it.

    Args:
        scores: the score of every piece.
        unknown: the text of the unknown token, and its id.
        unknown_score: of an unknown character.
        byte_ids: the ids of the 256 bytes that unknown text is written in, or None.
        alphabet: the byte that each character of the pieces stands for, or None where they are text.
    """

    def __init__(
        self,
        scores: Mapping[str, float],
        unknown: tuple[str, int],
        unknown_score: float,
        byte_ids: list[int] | None,
        alphabet: Mapping[str, int] | None = None,
    ) -> None:
        self._alphabet = alphabet
        self._letters = {byte: letter for letter, byte in (alphabet or {}).items()}
        self._scores = scores
        self._text, self._id = unknown
        self._unknown_score = unknown_score
        self._byte_ids = byte_ids
        self._longest = max(map(len, scores))

    def passes(self, parts: str) -> bool:
        """Say whether parts, joined by characters that no text has, are left as they are."""
        return self._alphabet is None and self._text not in parts

    def __call__(self, part: str) -> bytes:
        """Return the bytes of a part, cut where unknown text is one token that the lattice would not make."""
        whole = part.encode()
        if self._alphabet is not None:
            part = "".join(self._letters[byte] for byte in whole)
        if self._text not in part:
            return whole
        out: list[bytes] = []
        run: list[str] = []
        fused = False
        for token, known in [*self._best(part), ("", True)]:
            if not known:
                run.append(token)
                continue
            if len(run) > 1 and self._text in run:
                out += self._fused("".join(run))
                fused = True
            elif run:
                out.append(self._bytes("".join(run)))
            out.append(self._bytes(token))
            run = []
        # Every token stands alone then: sums that begin at a cut might be rounded to another path.
        return CUT.join(out) if fused else whole

    def without_special(self, pieces: frozenset[bytes], ids: frozenset[int]) -> UnknownPiece | None:
        """Return the same where special tokens are no pieces: nothing, where the unknown token is one of them."""
        if self._id in ids:
            return None
        scores = {token: score for token, score in self._scores.items() if self._bytes(token) not in pieces}
        unknown = (self._text, self._id)
        return UnknownPiece(scores, unknown, self._unknown_score, self._byte_ids, self._alphabet)

    def _bytes(self, token: str) -> bytes:
        return token.encode() if self._alphabet is None else bytes(self._alphabet[letter] for letter in token)

    def _fused(self, text: str) -> list[bytes]:
        if text in self._scores:
            return [UNWRITABLE]
        return [private(self._id)] if self._byte_ids is None else [private(self._byte_ids[b]) for b in text.encode()]

    def _best(self, part: str) -> list[tuple[str, bool]]:
        """Return the tokens of the best path, and whether each is known."""
        best: list[tuple[float, int]] = [(0.0, 0)] + [(-float("inf"), 0)] * len(part)
        for start in range(len(part)):
            alone = part[start] in self._scores
            for end in range(start + 1, min(start + self._longest, len(part)) + 1):
                score = self._scores.get(part[start:end], None if alone or end > start + 1 else self._unknown_score)
                if score is not None and best[start][0] + score > best[end][0]:
                    best[end] = best[start][0] + score, start
        tokens: list[tuple[str, bool]] = []
        end = len(part)
        while end:
            start = best[end][1]
            token = part[start:end]
            tokens.append((token, token in self._scores and token != self._text))
            end = start
        return tokens[::-1]
