from __future__ import annotations

from datetime import timedelta

from phigate.capture import tally
from tests.journal.samples import NOW


def test_a_thousand_refusals_of_one_address_become_one_record_a_minute() -> None:
    counts = tally.Tally()
    for _ in range(1000):
        assert counts.add("192.0.2.9", "expired", NOW) == []
    counts.add("192.0.2.9", "bad-signature", NOW)
    assert counts.due(NOW + timedelta(seconds=10)) == []
    assert counts.due(NOW + timedelta(minutes=1)) == [
        {
            "client": {"ip": "192.0.2.9"},
            "minute": "2026-11-23T15:04Z",
            "count": 1001,
            "reasons": {"expired": 1000, "bad-signature": 1},
        }
    ]
    assert counts.rest() == []


def test_the_first_refusal_of_a_minute_brings_the_records_of_the_last_one() -> None:
    counts = tally.Tally()
    counts.add("192.0.2.9", "expired", NOW)
    assert [fields["count"] for fields in counts.add("192.0.2.9", "expired", NOW + timedelta(minutes=5))] == [1]
    assert [fields["minute"] for fields in counts.rest()] == ["2026-11-23T15:09Z"]


def test_a_flood_from_many_addresses_stays_bounded_and_is_counted_whole() -> None:
    counts = tally.Tally()
    for number in range(tally.ADDRESSES + 500):
        counts.add(f"10.0.{number // 256}.{number % 256}", "expired", NOW)
    found = counts.rest()
    assert len(found) == tally.ADDRESSES + 1
    assert found[-1]["client"] == {"ip": tally.OTHERS}
    assert sum(fields["count"] for fields in found) == tally.ADDRESSES + 500
