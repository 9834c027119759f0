from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phigate.exchange import Finding
from phigate.masking import DETECTORS, Detector, Detectors, Memory, Piece, parse_roster
from phigate.masking.detect import EXAMPLE, LONGEST_WORD
from phigate.masking.patterns import PatternError
from tests.masking.rows import MARK

ROSTER = parse_roster("name,mrn\nAda Example,61-83-49\nAda Example Vance,70017\nZoë Ångström,\n", "r.csv")
ALONE, BOTH = Detectors(), Detectors(sources=[ROSTER])

KNOWN = [MARK.sub(r"\1", sample) for each in DETECTORS for sample in each.hits]
NEAR = [sample for each in DETECTORS for sample in each.misses]
PARTS = (
    *("MRN", "MRN: ", "Dr. ", "Dr", "Patient", ": ", "Ada", "Ada Example", "Ada Example Van", "ADA EXAMPLE"),
    *("Zoë Ångström", "61-83", "7001", "May", "may 5", ", 2021", "MD", ", MD", "92", "-year-old", "K", "ſ"),
    *("a.", "1-", "A. ", "@", "x.com", "http://", "+1", "(555)", "-0100", "é", "É", "\u00df", "王伟", "\U0001f600"),
    *("\u200b", "\u00a0", "\ud83d", "\n", "\t", ",", ".", "'", "’", "-", "/", '"', "**"),
    *("a" * 90, "7" * 30, "Aa" * 30, "a." * 60 + "@x.com", "GB82 " * 20, "https://x.org/" + "y" * 1100),
)
CUT = st.builds(lambda text, end: text[: end % (len(text) + 1)], st.sampled_from(KNOWN), st.integers(0, 80))
FRAGMENT = st.one_of(st.sampled_from(KNOWN), st.sampled_from(NEAR), st.sampled_from(PARTS), CUT, st.text(max_size=5))
TEXT = st.builds(str.join, st.sampled_from(["", " ", " ", "\n", ", "]), st.lists(FRAGMENT, max_size=9))
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=40)


def chunks(text: str, sizes: list[int]) -> list[str]:
    cut: list[str] = []
    at = 0
    while at < len(text):
        size = sizes[len(cut) % len(sizes)]
        cut.append(text[at : at + size])
        at += size
    return cut


def streamed(detectors: Detectors, parts: list[str]) -> list[Piece]:
    scanner = detectors.scanner()
    pieces = [piece for part in parts for piece in scanner.feed(part)]
    return pieces + scanner.close()


def findings_of(pieces: list[Piece]) -> list[Finding]:
    found, at = [], 0
    for piece in pieces:
        if piece.entity:
            found.append(Finding(at, at + len(piece.text), piece.entity, piece.score, piece.detector))
        at += len(piece.text)
    return found


@pytest.mark.parametrize("detectors", [ALONE, BOTH], ids=["patterns", "patterns and roster"])
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXT, sizes=SIZES)
def test_a_stream_gives_the_same_at_any_chunking(detectors: Detectors, text: str, sizes: list[int]) -> None:
    at_once = streamed(detectors, [text])
    assert findings_of(detectors.whole(text).in_order(Memory())) == findings_of(at_once)
    for parts in (list(text), chunks(text, sizes)):
        pieces = streamed(detectors, parts)
        assert "".join(piece.text for piece in pieces) == text
        assert findings_of(pieces) == findings_of(at_once)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXT)
def test_the_whole_text_shows_all_that_a_stream_shows(text: str) -> None:
    whole = BOTH.find(text)
    assert "".join(piece.text for piece in BOTH.pieces(text)) == text
    assert covered(findings_of(streamed(BOTH, [text]))) <= covered(whole)


def covered(findings: list[Finding]) -> set[int]:
    return {place for each in findings for place in range(each.start, each.end)}


def test_a_name_is_found_again_after_it_and_in_the_whole_before_it() -> None:
    text = "Brandt slept. Patient: Ada Brandt, and then brandt ate; Brandts did not."
    again = [(each.start, each.detector) for each in findings_of(streamed(ALONE, [text]))]
    assert again == [(23, "name-label"), (44, "memory")]
    assert [(each.start, each.detector) for each in ALONE.find(text)] == [(0, "memory"), *again]


def test_names_that_others_showed_are_found() -> None:
    names = Memory()
    ALONE.whole("Patient: Ada Brandt").learn(names)
    assert [each.start for each in ALONE.find("seen: Brandt", names)] == [6]
    scanner = ALONE.scanner(names)
    assert findings_of(scanner.feed("seen: Bra") + scanner.feed("ndt") + scanner.close())[0].start == 6
    assert ALONE.find("seen: Brandt") == []


def test_a_word_that_may_become_a_known_name_is_held_back() -> None:
    scanner = ALONE.scanner()
    pieces = scanner.feed("Patient: Ada Brandt, and she ate. so Bra")
    assert "".join(piece.text for piece in pieces).endswith("so ")
    assert [piece.text for piece in scanner.feed("ve it is")] == ["Brave it "]


def test_what_every_source_said_can_be_explained() -> None:
    text = "Patient: Ada Example (and then Ada slept)"
    verdicts = [(text[each.start : each.end], each.detector, each.verdict) for each in BOTH.explain(text)]
    assert verdicts == [
        ("Ada Example", "name-label", "gave way to roster"),
        ("Ada Example", "roster", "kept"),
        ("Ada", "memory", "kept"),
    ]


@settings(max_examples=60, deadline=None)
@given(text=TEXT, sizes=SIZES)
def test_held_back_is_never_more_than_the_reach(text: str, sizes: list[int]) -> None:
    scanner = ALONE.scanner()
    for part in chunks(text, sizes):
        scanner.feed(part)
        assert scanner.held <= ALONE.sources[0].reach + LONGEST_WORD


def naive(detectors: tuple[Detector, ...], text: str) -> list[tuple[int, int, str]]:
    """The definition, one place after the other, for texts in ASCII."""
    rows = [(each, Detectors((each,))) for each in detectors]
    found, at = [], 0
    while at < len(text):
        for each, alone in rows:
            hit = next(alone.sources[0].walk(text.encode(), at, at + 1), None)
            if hit:
                begin, at, _ = hit
                found.append((begin, at, each.name))
                break
        else:
            at += 1
    return found


SOME = tuple(
    each
    for each in DETECTORS
    if each.name in {"mrn", "ssn", "phone", "date-numeric", "month-day", "card", "npi", "email"}
)


@settings(max_examples=40, deadline=None)
@given(st.builds(" ".join, st.lists(st.sampled_from([*KNOWN, *NEAR]).filter(str.isascii), max_size=4)))
def test_searching_jointly_finds_what_going_place_by_place_finds(text: str) -> None:
    assert [(each.start, each.end, each.detector) for each in Detectors(SOME).find(text)] == naive(SOME, text)


def test_offsets_are_characters() -> None:
    assert BOTH.find("é王 MRN: 70418") == [Finding(8, 13, "MRN", 0.95, "mrn")]


def test_at_one_place_the_surer_source_names_what_is_found() -> None:
    (first,) = BOTH.find("MRN: 61-83-49")
    assert first.detector == "roster"


def test_a_refused_match_leaves_its_place_to_the_next_row() -> None:
    digits = r"\b(?P<id>\d{4})\b"
    rows = (Detector("never", "MRN", digits, check=lambda _: False), Detector("then", "ZIP", digits))
    assert [each.detector for each in Detectors(rows).find("1234")] == ["then"]


def test_a_refused_match_leaves_what_follows_to_be_found() -> None:
    assert [each.entity for each in ALONE.find("13/45/2020 3/5/2024")] == ["DATE_TIME"]


def test_ordinary_words_pass_as_soon_as_they_end() -> None:
    scanner = ALONE.scanner()
    assert [piece.text for piece in scanner.feed("the lungs are clear ")] == ["the lungs are clear "]
    assert scanner.held == 0


def test_a_value_split_anywhere_is_found_before_the_end() -> None:
    scanner = ALONE.scanner()
    pieces = [piece for each in "MRN: 61-83-49 and more text" for piece in scanner.feed(each)]
    assert [piece.text for piece in pieces if piece.entity] == ["61-83-49"]


def test_what_was_released_still_stands_before_what_follows() -> None:
    three = Detectors((Detector("three", "MRN", r"\b(?P<id>\d{3})\b"),))
    text = "ab123 é456 789"
    assert [each.start for each in three.find(text)] == [7, 11]
    assert findings_of(streamed(three, list(text))) == three.find(text)


def test_an_empty_chunk_changes_nothing() -> None:
    scanner = ALONE.scanner()
    assert scanner.feed("") == scanner.close() == []


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(?P<id>a*)", "odd: an open repetition at 8"),
        ("(?P<id>a?)", "odd: matches the empty text"),
        ("a", "odd: needs exactly one"),
    ],
)
def test_a_row_that_cannot_run_is_refused_by_name(pattern: str, fault: str) -> None:
    with pytest.raises(PatternError, match="^" + fault):
        Detectors((Detector("odd", "MRN", pattern),))


def test_its_example_has_something_for_each_source() -> None:
    assert {each.entity for each in ALONE.find(EXAMPLE)} >= {"PERSON", "MRN", "DATE_TIME", "PHONE_NUMBER", "LOCATION"}
    ALONE.warm()


@pytest.mark.parametrize(
    "text", ["a." * 8000 + "@x.com", "GB82 " * 2000, "a-" * 8000, "MRN: " * 3000, "1:" * 4000], ids=range(5)
)
def test_hostile_text_takes_no_quadratic_time(text: str) -> None:
    detectors = CountedDetectors()
    detectors.find(text)
    assert detectors.bytes_searched < 8000 * len(text)


class CountedDetectors(Detectors):
    """Counts the bytes that searches may have looked at: a bound on work that no clock blurs."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes_searched = 0
        patterns = self.sources[0]
        inner = patterns._search  # type: ignore[attr-defined]  # the real source, watched
        outer = self

        def watched(text: bytes, at: int, end: int) -> list[tuple[int, int]]:
            outer.bytes_searched += end - at
            return list(inner(text, at, end))

        clone = object.__new__(type(patterns))
        clone.__dict__.update(patterns.__dict__)
        clone.__dict__["_search"] = watched
        self.sources = (clone,)
