from __future__ import annotations

from phigate.masking.detect import Detectors
from phigate.masking.evidence import ENCODING, Hit

TEXT = "MRN: 70418 and so on"


def test_a_source_s_reader_gives_hits_in_order_and_says_how_far_it_is_settled() -> None:
    (patterns,) = Detectors().sources
    reader = patterns.reader()
    hits = [*reader.feed(TEXT), *reader.close()]
    assert hits == [Hit(5, 10, "MRN", "mrn", 0.95)]
    assert reader.settled == len(TEXT)


def test_half_a_surrogate_pair_leaves_as_it_came() -> None:
    assert "\ud83d".encode(*ENCODING).decode(*ENCODING) == "\ud83d"
