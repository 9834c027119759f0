import random
from datetime import timedelta

import pytest

from phigate.audit.report.walk import Durations, Group, ranked, walk
from tests.audit.report.hospital import MONDAY, Hospital, asking

DAY = timedelta(days=1)


def durations(*values):
    made = Durations()
    for value in values:
        made.add(value)
    return made


def test_percentiles_are_right_to_half_a_per_cent():
    chance = random.Random(5)
    values = [chance.lognormvariate(0, 1.5) for _ in range(400)]
    made, order = durations(*values), sorted(values)
    for percent in (1, 50, 95, 100):
        assert made.percentile(percent) == pytest.approx(order[-(-len(order) * percent // 100) - 1], rel=0.006)


def test_nothing_has_no_percentile_and_no_time_is_the_shortest():
    assert Durations().percentile(50) is None
    assert durations(0.0, -1.0).percentile(50) < 2e-6


def test_exchanges_are_grouped_by_what_they_have_in_common(tmp_path):
    hospital = Hospital()
    hospital.ask(MONDAY + DAY)
    hospital.ask(MONDAY)
    hospital.ask(MONDAY, verb="deny", reason="denied")
    hospital.ask(MONDAY, outcome=None)
    hospital.ask(MONDAY - 9 * DAY)
    hospital.event(MONDAY, "response", exchange="lost", outcome="complete")
    hospital.write(tmp_path / "journal")
    with asking(tmp_path / "journal") as asked:
        found = walk(asked)
    counted = {(group.verb, group.outcome): (group.exchanges, group.ran) for group in found.groups}
    assert counted == {("permit", "complete"): (2, True), ("deny", None): (1, False), ("permit", None): (1, True)}
    both = next(group for group in found.groups if group.exchanges == 2)
    assert (both.first, both.last) == (MONDAY.timestamp(), (MONDAY + DAY).timestamp())
    assert (found.verbs["permit"][1:3], found.verbs["deny"][1]) == ([2, 1], 1)
    assert (found.week[0][9], found.week[1][9]) == (3, 1)
    assert found.total[1].percentile(50) == pytest.approx(1, rel=0.006)
    assert found.total[0].percentile(50) is None


def test_people_count_once_a_key_whatever_groups_they_are_in():
    def group(who, outcome, exchanges):
        return Group("i", who, "[]", "permit", "r", "-", outcome, "m", None, exchanges, 0.0, 0.0)

    groups = [group("ada", "complete", 3), group("ada", "interrupted", 1), group("ben", "complete", 1)]
    assert ranked(((each.rule,), each) for each in groups) == [("r", 5, 2)]
    assert ranked(((each.outcome,), each) for each in groups) == [("complete", 4, 2), ("interrupted", 1, 1)]
