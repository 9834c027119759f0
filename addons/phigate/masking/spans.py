"""Span algebra: what several sources say of one stretch of text becomes one finding a character.

Rules of this file: hits come in any order and go out sorted and apart; every letter and digit that a hit covers stays
covered; where two differ the surer names what both cover, and the rest of the other stays; pure.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.masking.evidence import Hit

SURE = 0.5
"""From here on two hits of one entity that overlap are one."""
GUESSING, GUESS = "tagger", 0.7
"""A source that sees no form, and how sure it is at most beside one that does."""
LONGEST = 400
"""Characters of a name or place, at most."""
NAMED = frozenset({"PERSON", "LOCATION", "ORGANIZATION"})
"""Kinds whose values hold one another: a city in a hospital's name is the hospital."""


def first_component(hits: list[Hit], at: int = 0) -> list[Hit]:
    """Of hits in order the one at the index `at` and all that overlap with it, directly or through others."""
    if at >= len(hits):
        return []
    size, end = at + 1, hits[at].end
    while size < len(hits) and hits[size].begin < end:
        end = max(end, hits[size].end)
        size += 1
    return hits[at:size]


def components(hits: list[Hit]) -> Iterator[list[Hit]]:
    """Hits in order, in groups that overlap."""
    at = 0
    while at < len(hits):
        group = first_component(hits, at)
        yield group
        at += len(group)


def settle(hits: list[Hit], text: str, base: int = 0) -> list[Hit]:
    """What stands of hits that overlap; `text` begins at the offset `base` and holds them all.

    Hits may overlap in a chain through a whole text: each is compared with those it touches, and with no others.
    """
    if len(hits) == 1:
        return hits
    begin, end, entity, _, _ = hits[0]
    if all(hit.end == end and hit.begin == begin and hit.entity == entity and hit.score >= SURE for hit in hits):
        return [max(sorted(hits), key=_score)]  # as mostly: all say the same
    standing: list[Hit] = []
    for hit in sorted(contained(united(named(hits))), key=_rank):
        over = _touched(hit, standing)
        for part in _remaining(hit, over, text, base) if over else (hit,):
            insort(standing, part)
    return standing


def named(hits: Iterable[Hit]) -> list[Hit]:
    """What the tagger found, called what a sure rule or the roster calls it: they see a label, it guesses the kind."""
    ordered = sorted(hits)
    sure = [hit for hit in ordered if hit.entity in NAMED and hit.score >= SURE and hit.detector != GUESSING]
    return [_named(hit, sure) if sure and hit.detector == GUESSING else hit for hit in ordered]


def _named(hit: Hit, sure: list[Hit]) -> Hit:
    over = [each for each in _begun_before(hit, sure) if hit.begin < each.end]
    whole = [each for each in over if (each.begin, each.end) == (hit.begin, hit.end)]
    named = whole or [each for each in over if not _holds(hit, each)]
    return hit._replace(entity=max(named, key=lambda each: each.score).entity) if named else hit


def _begun_before(hit: Hit, ordered: list[Hit]) -> list[Hit]:
    """Of hits in order those that may overlap with one: they begin no further before it than any is long."""
    first = bisect_left(ordered, hit.begin - LONGEST, key=_begin)
    return ordered[first : bisect_left(ordered, hit.end, key=_begin)]


def united(hits: Iterable[Hit]) -> list[Hit]:
    """Sure hits of one entity that overlap, as one that is called what the surest of them is called."""
    made: list[Hit] = []
    open_at: dict[str, int] = {}
    for hit in sorted(hits):
        at = open_at.get(hit.entity, -1)
        if hit.score < SURE:
            made.append(hit)
        elif at >= 0 and hit.begin < made[at].end:
            last = made[at]
            surest = hit if hit.score > last.score else last
            made[at] = surest._replace(begin=last.begin, end=max(last.end, hit.end))
        else:
            open_at[hit.entity] = len(made)
            made.append(hit)
    return made


def contained(hits: Iterable[Hit]) -> list[Hit]:
    """The same without names inside of a sure longer name, which becomes as sure as they are."""
    ordered = sorted(hits, key=lambda hit: (hit.begin, -hit.end, -hit.score))
    gone: set[int] = set()
    for at, hit in enumerate(ordered):
        if at in gone or hit.entity not in NAMED or hit.score < SURE:
            continue
        inside = at + 1
        while inside < len(ordered) and ordered[inside].begin < hit.end:
            other = ordered[inside]
            if other.entity in NAMED and other.end <= hit.end and other[:2] != hit[:2]:
                gone.add(inside)
                hit = hit._replace(score=max(hit.score, other.score))  # noqa: PLW2901 -- it grows surer as it goes
            inside += 1
        ordered[at] = hit
    return [hit for at, hit in enumerate(ordered) if at not in gone]


def _begin(hit: Hit) -> int:
    return hit.begin


def _score(hit: Hit) -> float:
    return hit.score


def _holds(outer: Hit, inner: Hit) -> bool:
    return outer.begin <= inner.begin and inner.end <= outer.end


def _touched(hit: Hit, standing: list[Hit]) -> list[Hit]:
    """Of hits that stand, in order and apart, those that overlap with another one."""
    first = bisect_left(standing, hit.begin, key=_begin)
    if first and standing[first - 1].end > hit.begin:
        first -= 1
    return standing[first : bisect_left(standing, hit.end, key=_begin)]


def _rank(hit: Hit) -> tuple[float, int, int]:
    """Who names what both cover: the surer, but a ZIP code within an address the tagger found is a ZIP code."""
    score = min(hit.score, GUESS) if hit.detector == GUESSING else hit.score
    return -score, hit.begin - hit.end, hit.begin


def _remaining(hit: Hit, over: list[Hit], text: str, base: int) -> list[Hit]:
    """The parts of a hit that others do not cover, from letter or digit to letter or digit."""
    edges = [hit.begin, *(edge for each in over for edge in (each.begin, each.end)), hit.end]
    parts = (_trimmed(hit, edges[at], edges[at + 1], text, base) for at in range(0, len(edges), 2))
    return [part for part in parts if part]


def _trimmed(hit: Hit, begin: int, end: int, text: str, base: int) -> Hit | None:
    while begin < end and not text[begin - base].isalnum():
        begin += 1
    while begin < end and not text[end - 1 - base].isalnum():
        end -= 1
    return hit._replace(begin=begin, end=end) if begin < end else None
