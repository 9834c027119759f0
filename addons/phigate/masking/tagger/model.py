"""The trained weights, and what they say of a run of tokens.

A linear-chain conditional random field (Lafferty, McCallum, Pereira 2001) over O, PERSON, LOCATION, ORGANIZATION.
Weights are whole numbers relative to O, in parts of `SCALE`; the three of a feature are packed into one integer, so
that adding features adds all three at once. Sums are exact, whatever their order.
"""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phigate.masking.tagger.features import PLACES, local, near
from phigate.masking.tagger.words import CLASSES, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = Path(__file__).with_name("model.txt")
LABELS = ("O", "PERSON", "LOCATION", "ORGANIZATION")
TABLES = "ABCDEFGH"
SCALE = 64
"""Parts of one: a weight of 64 is 1.0."""
WORDS = 40_000
"""Distinct tokens kept; then they are forgotten and learned anew."""

_UNLIKELY = 0.003
"""Odds of a token alone to be a name, below which nobody looks closer."""

_BITS = 20
_HALF = 1 << (_BITS - 1)
_FIELD = (1 << _BITS) - 1
_EVEN = _HALF * (1 + (1 << _BITS) + (1 << 2 * _BITS))

type Marginals = list[tuple[float, float, float]]
"""How probable PERSON, LOCATION and ORGANIZATION are, a token each."""


def packed(person: int, location: int, organization: int) -> int:
    return person + (location << _BITS) + (organization << 2 * _BITS)


def unpacked(total: int) -> tuple[int, int, int]:
    total += _EVEN
    return (total & _FIELD) - _HALF, (total >> _BITS & _FIELD) - _HALF, (total >> 2 * _BITS) - _HALF


class Model:
    """Weights, with what was looked up of each distinct token; shared by threads, which at worst look up twice."""

    def __init__(self, head: dict[str, Any], weights: dict[str, tuple[int, int, int]]) -> None:
        self.head = head
        self._vocabulary = {word: index for index, word in enumerate(head["vocabulary"], 1)}
        self._joins = frozenset(head["joins"])
        self._weights: dict[str, int] = {}
        self._pairs: tuple[dict[int, int], ...] = tuple({} for _ in TABLES)
        for name, three in weights.items():
            table = TABLES.find(name[0])
            if table < 0:
                self._weights[name] = packed(*three)
            else:
                self._pairs[table][int(name[1:])] = packed(*three)
        self._moves = tuple(exp(weight / SCALE) for weight in head["transitions"])
        stay = [max(0.0, log(self._moves[5 * label] / self._moves[0])) for label in (1, 2, 3)]
        self._alone = tuple([_HALF + int(log(_UNLIKELY) * SCALE)] * 3)
        self._along = tuple(_HALF + int((log(_UNLIKELY) - gain) * SCALE) for gain in stay)
        """Packed weights up to which no token of a run comes near to a name: of a run of one token, of a longer one."""
        self._around: dict[int, int] = {}
        self._words: dict[str, Word] = {}
        self.begin, self.end = self._edge(0), self._edge(1)

    def _edge(self, cls: int) -> Word:
        word = Word("")
        word.cls = cls
        return word

    def word(self, raw: str) -> Word:
        known = self._words.get(raw)
        if known is None:
            known = self.made(Word(raw, joins=self._joins))
            if len(self._words) >= WORDS:
                self._words = {}
            self._words[raw] = known
        return known

    def made(self, word: Word) -> Word:
        word.cid = self._vocabulary.get(word.base, 0)
        return word

    def _near(self, word: Word, index: int) -> int:
        known = word.near[index]
        if known is not None:
            return known
        get = self._weights.get
        total = word.near[index] = sum([get(name, 0) for name in near(word, PLACES[index])])
        return total

    def _local(self, word: Word, mode: int) -> int:
        get = self._weights.get
        total = word.local[mode] = sum([get(name, 0) for name in local(word, mode)])
        return total

    def sums(self, words: Sequence[Word], modes: Sequence[int], first: int, end: int) -> list[int]:
        """Packed weights of the tokens [first, end); three words before and two behind them are looked at."""
        _, _, _, d, e, f, g, h = self._pairs
        around = self._around
        sums = []
        w2, w1, w0, x1, x2 = words[first - 3 : first + 2]
        for at in range(first, end):
            w3, w2, w1, w0, x1, x2 = w2, w1, w0, x1, x2, words[at + 2]
            mode = modes[at]
            own = w0.local[mode]
            if own is None:
                own = self._local(w0, mode)
            n3, n2, n1, m1, m2 = w3.near[0], w2.near[1], w1.near[2], x1.near[3], x2.near[4]
            if n3 is None or n2 is None or n1 is None or m1 is None or m2 is None:
                n3, n2, n1, m1, m2 = [self._near(word, place) for place, word in enumerate((w3, w2, w1, x1, x2))]
            c1, c0, n = w1.cls, w0.cls, x1.cls
            left, right = c1 * CLASSES + c0, c0 * CLASSES + n
            three = around.get(left * CLASSES + n)
            if three is None:
                three = self._three(left, right, left * CLASSES + n)
            sums.append(
                own
                + (n3 + n2 + n1 + m1 + m2)
                + three
                + d.get(w2.cid * 65536 + w1.cid, 0)
                + e.get(w1.cid * CLASSES + c0, 0)
                + f.get(x1.cid * CLASSES + c0, 0)
                + g.get(w2.cls * CLASSES * CLASSES + left, 0)
                + h.get(right * CLASSES + x2.cls, 0)
            )
        return sums

    def _three(self, left: int, right: int, both: int) -> int:
        """A token's class with those beside it, which are looked up as one from the second time on."""
        a, b, c, *_ = self._pairs
        if len(self._around) >= WORDS:
            self._around = {}
        total = self._around[both] = a.get(left, 0) + b.get(right, 0) + c.get(both, 0)
        return total

    def marginals(self, sums: list[int]) -> Marginals:
        """By the forward and backward sums over all labellings of the run; none where no token comes near to a name."""
        person, location, organization = self._alone if len(sums) == 1 else self._along
        for total in sums:
            even = total + _EVEN
            if even & _FIELD > person or even >> _BITS & _FIELD > location or even >> 2 * _BITS > organization:
                break
        else:
            return []
        scores = [_exponents(total) for total in sums]
        if len(scores) == 1:
            p, q, r = scores[0]
            whole = 1.0 + p + q + r
            return [(p / whole, q / whole, r / whole)]
        oo, op, ol, on, po, pp, pl, pn, lo, lp, ll, ln, no, np, nl, nn = self._moves
        p, q, r = scores[0]
        o = 1.0
        forward = []
        for sp, sl, sn in scores[1:]:
            forward.append((o, p, q, r))
            o, p, q, r = (
                o * oo + p * po + q * lo + r * no,
                (o * op + p * pp + q * lp + r * np) * sp,
                (o * ol + p * pl + q * ll + r * nl) * sl,
                (o * on + p * pn + q * ln + r * nn) * sn,
            )
            whole = o + p + q + r
            o, p, q, r = o / whole, p / whole, q / whole, r / whole
        whole = o + p + q + r
        found = [(p / whole, q / whole, r / whole)]
        bo = bp = bl = bn = 1.0
        for at in range(len(scores) - 1, 0, -1):
            sp, sl, sn = scores[at]
            xo, xp, xl, xn = bo, bp * sp, bl * sl, bn * sn
            bo = xo * oo + xp * op + xl * ol + xn * on
            bp = xo * po + xp * pp + xl * pl + xn * pn
            bl = xo * lo + xp * lp + xl * ll + xn * ln
            bn = xo * no + xp * np + xl * nl + xn * nn
            o, p, q, r = forward[at - 1]
            o, p, q, r = o * bo, p * bp, q * bl, r * bn
            whole = o + p + q + r
            found.append((p / whole, q / whole, r / whole))
            scale = bo + bp + bl + bn
            bo, bp, bl, bn = bo / scale, bp / scale, bl / scale, bn / scale
        found.reverse()
        return found


def _exponents(total: int) -> tuple[float, float, float]:
    total += _EVEN
    return (
        exp(min((total & _FIELD) - _HALF, _MOST) / SCALE),
        exp(min((total >> _BITS & _FIELD) - _HALF, _MOST) / SCALE),
        exp(min((total >> 2 * _BITS) - _HALF, _MOST) / SCALE),
    )


_MOST = 60 * SCALE


def written(head: dict[str, Any], weights: dict[str, tuple[int, int, int]]) -> bytes:
    """A model as the bytes of its file; plain text, as what a compressor makes of it is not the same everywhere."""
    lines = [json.dumps(head, sort_keys=True, separators=(",", ":"))]
    lines += [f"{name}\t{three[0]} {three[1]} {three[2]}" for name, three in sorted(weights.items())]
    return "\n".join(lines).encode()


def read(content: bytes) -> Model:
    """A model from the bytes of its file."""
    head, *lines = content.decode().split("\n")
    weights = {}
    for line in lines:
        name, _, three = line.rpartition("\t")
        person, location, organization = three.split(" ")
        weights[name] = int(person), int(location), int(organization)
    return Model(json.loads(head), weights)


def shipped() -> Model:
    """The model of this package."""
    return read(FILE.read_bytes())
