from __future__ import annotations

import pytest

from phigate.masking.detect import Detectors
from phigate.masking.evidence import BLOCK, ENCODING, Hit, read_through, read_whole
from phigate.masking.roster import Roster
from phigate.masking.tagger import tagger

TEXT = "MRN: 70418 and so on"


def test_a_source_s_reader_gives_hits_in_order_and_says_how_far_it_is_settled() -> None:
    (patterns,) = Detectors().sources
    reader = patterns.reader()
    hits = [*reader.feed(TEXT), *reader.close()]
    assert hits == [Hit(5, 10, "MRN", "mrn", 0.95)]
    assert reader.settled == len(TEXT)


def test_half_a_surrogate_pair_leaves_as_it_came() -> None:
    assert "\ud83d".encode(*ENCODING).decode(*ENCODING) == "\ud83d"


@pytest.mark.parametrize("source", [tagger(), Roster(values=[("MRN", "70418")])], ids=["tagger", "roster"])
@pytest.mark.parametrize("size", [0, 100, BLOCK - 20, BLOCK, BLOCK + 1, 2 * BLOCK + 100])
def test_a_text_that_is_known_to_end_has_the_same_hits(source, size: int) -> None:
    text = ("Ada Quist, MRN 70418, was seen. " * (size // 32 + 1))[:size]
    assert read_whole(source.reader(), text) == read_through(source, text)
