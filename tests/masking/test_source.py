from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.masking.roster import Roster
from phigate.masking.source import Hit

if TYPE_CHECKING:
    from phigate.masking.source import Source


def test_a_roster_is_a_source_whose_readers_give_hits() -> None:
    source: Source = Roster(values=[("MRN", "61-83-49")])
    reader = source.reader()
    assert reader.feed("MRN 61-83-49, ") == [Hit(4, 12, "MRN", "roster", 0.99)]
    assert (reader.settled, reader.close()) == (14, [])
