"""Span algebra: what several sources say of one stretch of text becomes one finding a character.

Rules of this file: hits come in any order and go out sorted and apart; every letter and digit that a hit covers stays
covered; where two differ the surer names what both cover, and the rest of the other stays; pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.masking.evidence import Hit

SURE = 0.5
"""From here on two hits of one entity that overlap are one."""
GUESSING = "tagger"
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
    """What stands of hits that overlap; `text` begins at the offset `base` and holds them all."""
    if len(hits) == 1:
        return hits
    standing: list[Hit] = []
    for hit in sorted(contained(united(named(hits))), key=_rank):
        standing += _remaining(hit, standing, text, base)
    return sorted(standing)


def named(hits: list[Hit]) -> list[Hit]:
    """What the tagger found, called what a sure rule or the roster calls it: they see a label, it guesses the kind."""
    sure = [hit for hit in hits if hit.entity in NAMED and hit.score >= SURE and hit.detector != GUESSING]
    return [_named(hit, sure) if hit.detector == GUESSING else hit for hit in hits]


def _named(hit: Hit, sure: list[Hit]) -> Hit:
    over = [each for each in sure if each.begin < hit.end and hit.begin < each.end and not _holds(hit, each)]
    whole = [each for each in sure if (each.begin, each.end) == (hit.begin, hit.end)] or over
    return hit._replace(entity=max(whole, key=lambda each: each.score).entity) if whole else hit


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


def contained(hits: list[Hit]) -> list[Hit]:
    """The same without names inside of a sure longer name, which becomes as sure as they are."""
    kept: list[Hit] = []
    names = [hit for hit in hits if hit.entity in NAMED]
    for hit in hits:
        if hit.entity in NAMED and hit.score >= SURE:
            inside = [each for each in names if each != hit and _holds(hit, each)]
            kept.append(hit._replace(score=max(hit.score, *(each.score for each in inside))) if inside else hit)
        else:
            kept.append(hit)
    return [hit for hit in kept if not any(_swallows(other, hit) for other in kept)]


def _holds(outer: Hit, inner: Hit) -> bool:
    return outer.begin <= inner.begin and inner.end <= outer.end


def _swallows(outer: Hit, inner: Hit) -> bool:
    longer = outer.end - outer.begin > inner.end - inner.begin
    return longer and {outer.entity, inner.entity} <= NAMED and outer.score >= SURE and _holds(outer, inner)


def _rank(hit: Hit) -> tuple[float, int, int]:
    return -hit.score, hit.begin - hit.end, hit.begin


def _remaining(hit: Hit, standing: list[Hit], text: str, base: int) -> list[Hit]:
    """The parts of a hit that nothing covers yet, from letter or digit to letter or digit."""
    over = sorted(each for each in standing if each.begin < hit.end and hit.begin < each.end)
    if not over:
        return [hit]
    edges = [hit.begin, *(edge for each in over for edge in (each.begin, each.end)), hit.end]
    parts = (_trimmed(hit, edges[at], edges[at + 1], text, base) for at in range(0, len(edges), 2))
    return [part for part in parts if part]


def _trimmed(hit: Hit, begin: int, end: int, text: str, base: int) -> Hit | None:
    while begin < end and not text[begin - base].isalnum():
        begin += 1
    while begin < end and not text[end - 1 - base].isalnum():
        end -= 1
    return hit._replace(begin=begin, end=end) if begin < end else None
