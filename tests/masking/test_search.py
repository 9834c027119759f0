from __future__ import annotations

import pytest

from phigate.masking.detectors import DETECTORS
from phigate.masking.evidence import Hit
from phigate.masking.search import CONTEXT, PatternReader, characters, compiled

TEXT = "é王 MRN: 70418, \U0001f600 seen 2024-03-05 and é MRN: 70419"
HITS = [Hit(8, 13, "MRN", "mrn", 0.95), Hit(22, 32, "DATE_TIME", "date-iso", 0.95), Hit(44, 49, "MRN", "mrn", 0.95)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_offsets_are_characters_from_the_text_s_begin_at_any_chunking(size: int) -> None:
    reader = PatternReader(compiled(DETECTORS))
    hits = [hit for at in range(0, len(TEXT), size) for hit in reader.feed(TEXT[at : at + size])]
    assert [*hits, *reader.close()] == HITS
    assert reader.settled == len(TEXT)


def test_what_begins_before_the_settled_place_has_been_given() -> None:
    reader = PatternReader(compiled(DETECTORS))
    given: list[Hit] = []
    for each in TEXT:
        given += reader.feed(each)
        assert [hit for hit in HITS if hit.begin < reader.settled] == [
            hit for hit in given if hit.begin < reader.settled
        ]


def test_only_what_is_undecided_and_a_character_is_kept() -> None:
    reader = PatternReader(compiled(DETECTORS))
    reader.feed("the lungs are clear " * 100)
    assert len(reader._text) <= CONTEXT


@pytest.mark.parametrize("text", ["", "abc", "é", "王\U0001f600é"])
def test_characters_are_counted_in_bytes(text: str) -> None:
    assert characters(text.encode()) == len(text)


def test_a_table_is_compiled_once() -> None:
    assert compiled(DETECTORS) is compiled(DETECTORS)
