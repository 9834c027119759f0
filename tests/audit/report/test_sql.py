from datetime import timedelta

import pytest

from phigate.audit.report.sql import IN_PERIOD, names, row
from tests.audit.report.hospital import MONDAY, Hospital, asking, november


@pytest.fixture
def asked(tmp_path):
    hospital = Hospital()
    for day in range(-3, 4):
        hospital.ask(MONDAY + timedelta(days=day), f"p{day}")
    hospital.write(tmp_path / "journal")
    with asking(tmp_path / "journal") as found:
        yield found


def test_a_statement_knows_the_period(asked):
    assert asked.count(f"exchange WHERE {IN_PERIOD}") == 5
    assert asked.one("SELECT COUNT(*) FROM exchange WHERE subject = :who", who="p2")[0] == 1
    assert asked.one("SELECT 1 FROM exchange WHERE subject = 'nobody'") is None


def test_a_long_table_is_cut_and_counted(asked):
    found = asked.top("SELECT subject, 1 FROM exchange ORDER BY at", row, 2)
    assert (found.rows, found.total, found.more) == ([("p-3", 1), ("p-2", 1)], 7, 5)


def test_times_are_in_the_zone_of_the_period(asked):
    assert asked.time(MONDAY.timestamp()) == MONDAY
    assert asked.time(0).tzinfo is november().zone


@pytest.mark.parametrize(
    ("kept", "read"), [('["a", "b"]', ["a", "b"]), ('["a", 1]', ["a"]), ("{", []), ('"a"', []), (None, [])]
)
def test_lists_of_names(kept, read):
    assert names(kept) == read
