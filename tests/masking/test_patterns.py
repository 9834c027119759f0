from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
import re2  # type: ignore[import-untyped]  # google-re2 ships no types
from hypothesis import given
from hypothesis import strategies as st

from bench.hostile import hostile
from phigate.masking.detectors import DETECTORS
from phigate.masking.patterns import (
    PatternError,
    beginning,
    closure,
    first_bytes,
    joined,
    longest,
    matching,
    opened,
    parse,
    pending,
    prefixes,
    searching,
    shared,
    single,
    source,
    spotting,
    table,
    widest,
)
from tests.masking.rows import marked

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking.detector import Detector
    from phigate.masking.patterns import Match, Spot

SAMPLE = r"\b(?i:mrn)[: ]{1,3}(?P<id>\d{3,10}(?:-\d\d)?)\b"


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("a*", "an open repetition at 1"),
        ("a+", "an open repetition at 1"),
        ("a{2,}", "not understood at 1"),
        ("(?=a)", "a group must be"),
        ("(a)", "a group must be"),
        ("(?:a", "a group is not closed at 4"),
        ("a)", "a `)` too many at 1"),
        ("a{2}{3}", "a quantifier on a quantifier at 4"),
        ("a??", "a quantifier on a quantifier at 2"),
    ],
)
def test_what_is_not_bounded_or_not_read_is_refused(pattern: str, fault: str) -> None:
    with pytest.raises(PatternError, match="^" + re.escape(fault)):
        parse(pattern)


def test_a_pattern_that_re2_refuses_is_refused() -> None:
    with pytest.raises(PatternError, match=r"^not RE2: "):
        joined([parse(r"\p{Nonsense}")])


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("foo MRN", 4),
        ("foo MRN: 12", 4),
        ("foo MRN: 123-4", 4),
        ("foo MRN: 123-45", 4),
        ("foo MRN: 123-45 ", 16),
        ("foo MRNx", 8),
        ("fooM", 4),
        ("foo M", 4),
        ("", 0),
    ],
)
def test_where_a_match_may_still_be_in_progress(text: str, start: int) -> None:
    assert closure([parse(SAMPLE)]).search(text.encode()).start() == start


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
def test_every_beginning_of_every_hit_is_in_the_closure(detector: Detector) -> None:
    tree = parse(detector.pattern)
    exact, loose = re2.compile(detector.pattern), re2.compile(prefixes(tree))
    for sample in detector.hits:
        text, _ = marked(sample)
        found = exact.search(text)
        for end in range(found.start(), found.end() + 1):
            begun = text[:end].encode()
            start = len(text[: found.start()].encode())
            assert loose.search(begun, start).start() == start


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
def test_every_hit_starts_as_its_table_says_and_fits_its_measures(detector: Detector) -> None:
    tree = parse(detector.pattern)
    firsts, empty = first_bytes(tree)
    assert not empty
    for sample in detector.hits:
        raw = marked(sample)[0].encode()
        found = re2.compile(detector.pattern).search(raw)
        assert raw[found.start()] in firsts
        assert len(found[0]) <= widest(tree)
        assert len(found[0].decode()) <= longest(tree) <= widest(tree)


def test_names_and_numbers_are_held_back_no_further_than_their_bound() -> None:
    long = {each.name for each in DETECTORS if longest(parse(each.pattern)) > 340}
    assert long == {"email", "url", "domain"}


@given(st.text("MRNmrn: 0123-9x", max_size=20))
def test_the_joined_tree_starts_wherever_a_pattern_does(text: str) -> None:
    patterns = [SAMPLE, r"\b(?i:chart) (?P<id>\d{3,10}(?:-\d\d)?)\b", r"(?P<id>\d{2,4}x)"]
    trees = [parse(each) for each in patterns]
    loose = re2.compile(source(shared(trees)))
    starts = [match.start() for each in patterns if (match := re2.search(each, text.encode()))]
    if starts:
        assert loose.search(text.encode()).start() <= min(starts)
        assert loose.match(text.encode(), min(starts))


def test_measures_count_characters_and_bytes() -> None:
    tree = parse(r"\bé{2,3}(?:ab|c)?")
    assert (longest(tree), widest(tree)) == (5, 14)


def test_ignored_case_knows_the_characters_outside_ascii_that_fold_into_it() -> None:
    assert 0xE2 in first_bytes(parse("(?i:k)"))[0]
    assert 0xE2 not in first_bytes(parse("k"))[0]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
def test_hostile_texts_name_few_rows_a_place(detector: Detector) -> None:
    search, rows = compiled()
    for what, text in hostile(detector, 96):
        raw, at, named = text.encode(), 0, 0
        while at < len(raw) and (start := search(raw, at, len(raw))[0][0]) >= 0:
            named += len(rows(raw[start:]))
            at = start + 1
        assert named <= 6 * len(raw), what


@lru_cache(maxsize=1)
def compiled() -> tuple[Match, Callable[[bytes], list[int]]]:
    trees = [parse(opened(each.pattern)) for each in DETECTORS]
    return searching(joined(trees)), table(trees)


def spot_of(pattern: str) -> Spot:
    return spotting(pattern, parse(opened(pattern)))


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
def test_spotting_says_what_captures_say(detector: Detector) -> None:
    captured, spot = (
        matching(single(opened(detector.pattern))),
        spot_of(detector.pattern),
    )
    for sample in detector.hits + detector.misses:
        raw = ("x\\n" + marked(sample)[0] + " " + marked(sample)[0]).encode()
        for at in range(len(raw)):
            assert spot(raw, at, len(raw)) == captured(raw, at, len(raw))[1]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\b(?:a|ab)(?P<id>c|bcd)", "abcd"),
        (r"\b(?:ab|a)(?P<id>c|bcd)", "abcd"),
        (r"\ba{1,3}(?P<id>a\d)", "aaa1"),
        (r"\b(?:x(?P<id>y)|(?:z))", "xy"),
        (r"\b(?P<id>\d{2})(?:[^0-9]|$)", "12 "),
        (r"(?P<id>\d{2})", "12"),
    ],
)
def test_spotting_chooses_as_the_engine_does(pattern: str, text: str) -> None:
    raw = text.encode()
    assert spot_of(pattern)(raw, 0, len(raw)) == matching(single(opened(pattern)))(raw, 0, len(raw))[1]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
@pytest.mark.parametrize("most", [1, 5, 20, 80])
def test_the_beginning_of_a_tree_begins_every_match(detector: Detector, most: int) -> None:
    tree = parse(opened(detector.pattern))
    begun = beginning(tree, most)
    assert longest(begun) <= most
    exact, first = re2.compile(opened(detector.pattern)), re2.compile(source(begun))
    for sample in detector.hits:
        text = marked(sample)[0]
        found = exact.search(text)
        assert first.match(text[found.start() :][: most + 1])


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
def test_what_is_pending_is_what_a_search_of_the_closure_finds(detector: Detector) -> None:
    trees = [parse(opened(detector.pattern)), parse(opened(SAMPLE))]
    place, search = pending(trees), searching(closure(trees))
    for sample in detector.hits + detector.misses:
        text = "x\\n" + marked(sample)[0] + " é " + marked(sample)[0]
        for end in range(len(text) + 1):
            raw = text[:end].encode()
            assert place(raw, 0) == search(raw, 0, len(raw))[0][0]


@pytest.mark.parametrize(
    ("text", "pending_part"),
    [
        ("see https://x.example/" + "y" * 600, "https://x.example/" + "y" * 600),
        ("a b c " * 200 + "MRN: ", "MRN: "),
        ("é b c " * 200 + "MRN: ", "MRN: "),
        ("a b c " * 200, ""),
    ],
)
def test_what_is_pending_far_from_the_end_is_found_too(text: str, pending_part: str) -> None:
    place = pending([parse(opened(each.pattern)) for each in DETECTORS])
    assert text.encode()[place(text.encode(), 0) :].decode() == pending_part
