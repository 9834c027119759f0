"""`limits`: what they may say, and in which words it is told where they do not."""

from datetime import timedelta

import pytest

from tests import policies
from tests.policies import policy


def limits(*entries):
    return "limits: [" + ", ".join(entries) + "]\n"


def test_a_limit_is_counted_for_each_person_unless_it_says_together():
    tail = limits(
        "{roles: [clinician], requests: {per: PT1M, most: 60}, at_once: 8}",
        "{roles: ['*'], counted: together, at_once: 100}",
    )
    one, all_ = policy(tail=tail).limits
    assert (one.roles, one.counted, one.at_once) == (("clinician",), "each", 8)
    assert (one.requests.per, one.requests.most) == (timedelta(minutes=1), 60)
    assert (all_.counted, all_.requests, all_.at_once) == ("together", None, 100)


def test_each_gateway_counts_by_itself_unless_a_limit_is_exact():
    tail = limits("{roles: ['*'], at_once: 1}", "{roles: ['*'], at_once: 1, exact: true}")
    assert [each.exact for each in policy(tail=tail).limits] == [False, True]


def test_without_limits_there_are_none():
    assert policy().limits == ()


FAULTS = [
    ("{roles: [clinician]}", "limits[0]: limits nothing: needs `requests` or `at_once`"),
    ("{roles: [clinican], at_once: 1}", "limits[0].roles[0]: unknown role `clinican`, did you mean `clinician`"),
    ("{roles: [], at_once: 1}", "limits[0].roles"),
    ("{at_once: 1}", "limits[0].roles"),
    ("{roles: ['*'], at_once: 0}", "limits[0].at_once"),
    ("{roles: ['*'], requests: {per: PT1M, most: 0}}", "limits[0].requests.most"),
    ("{roles: ['*'], requests: {per: P2D, most: 1}}", "limits[0].requests.per: is too long: a day at most"),
    ("{roles: ['*'], requests: {per: PT1M}}", "limits[0].requests.most"),
    ("{roles: ['*'], counted: all, at_once: 1}", "limits[0].counted: unknown word `all`"),
    ("{roles: ['*'], at_once: 1, exactly: true}", "limits[0].exactly: unknown key"),
    ("{roles: ['*'], at_once: 1, exact: 1}", "limits[0].exact: must be `true` or `false`"),
    ("{roles: ['*'], exact: true}", "limits[0]: limits nothing: needs `requests` or `at_once`"),
    ("clinician", "limits[0]"),
]


@pytest.mark.parametrize(("entry", "fault"), FAULTS, ids=[f"{entry} {fault}" for entry, fault in FAULTS])
def test_a_fault_is_told_in_words(entry, fault):
    found = policies.faults(policies.text(tail=limits(entry)))
    assert [each for each in found if fault in each], found


def test_there_is_an_end_to_them():
    found = policies.faults(policies.text(tail=limits(*["{roles: ['*'], at_once: 1}"] * 65)))
    assert [each for each in found if "limits" in each], found
