import pytest

from phigate.audit.index.database import open_index
from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions import who_saw
from tests.audit.questions.saw import NAME, NUMBER, OTHER, asked, written

ALL = {NUMBER: 1, NAME: 2}


@pytest.fixture
def index(tmp_path):
    with open_index(written(tmp_path)[0]) as opened:
        yield opened


def test_what_became_of_it_in_each_exchange(index):
    assert [(one.row["exchange"], one.ways, one.texts) for one in who_saw.seen(index, ALL)] == [
        ("ex-1", {"sent": {"MRN", "PERSON"}, "model-received": {"MRN", "PERSON"}, "received": {"MRN"}}, {1, 2}),
        ("ex-2", {"received-masked": {"MRN", "PERSON"}}, {1, 2}),
        ("ex-3", {"sent": {"MRN"}}, {1}),
        ("ex-4", {"received": {"PERSON"}}, {2}),
        ("ex-6", {"received-untold": {"MRN"}}, {1}),
    ]


def test_what_is_refused_reached_no_model(tmp_path):
    """Whatever its record says."""
    journal, _ = written(tmp_path, [asked("ex-1", "ada", NUMBER, revealed=[NUMBER], verb="deny")])
    with open_index(journal) as index:
        assert [one.ways for one in who_saw.seen(index, ALL)] == [{"sent": {"MRN"}}]


def test_only_what_is_asked_for(index):
    assert [one.row["exchange"] for one in who_saw.seen(index, {OTHER: 1})] == ["ex-5"]
    assert [one.row["exchange"] for one in who_saw.seen(index, ALL, Wanted(subject="ben"))] == ["ex-2"]
    assert list(who_saw.seen(index, {"MRN:0": 1})) == []
    assert list(who_saw.seen(index, {})) == []


def test_people_those_first_who_received_it(index):
    people = who_saw.people(who_saw.seen(index, ALL), 2)
    assert [(one.subject, one.exchanges, dict(one.ways)) for one in people] == [
        ("ada", 1, {"sent": 1, "model-received": 1, "received": 1}),
        ("=dan", 1, {"received": 1}),
        ("ben", 1, {"received-masked": 1}),
        ("fay", 1, {"received-untold": 1}),
        ("cleo", 1, {"sent": 1}),
    ]
    assert people[0].roles == {"clinician"}


def test_of_each_the_latest_exchanges_are_kept(tmp_path):
    rows = [asked(f"ex-{n}", "ada", NUMBER) for n in range(20)]
    with open_index(written(tmp_path, rows)[0]) as index:
        (person,) = who_saw.people(who_saw.seen(index, ALL), 3)
    assert person.exchanges == person.ways["sent"] == 20
    assert [one.row["exchange"] for one in person.latest] == ["ex-17", "ex-18", "ex-19"]
    assert person.first < person.last


def test_as_json(index):
    one = next(who_saw.seen(index, ALL)).as_json()
    assert one.pop("ts").startswith("20")
    assert one == {
        "exchange": "ex-1",
        "session": "s1",
        "subject": "ada",
        "issuer": "https://idp.test",
        "ip": "192.0.2.7",
        "model": "ward",
        "purpose": "treatment",
        "verb": "permit",
        "rule": "r",
        "reason": None,
        "outcome": "complete",
        "roles": ("clinician",),
        "actions": ("chat",),
        "texts": [1, 2],
        "ways": {"received": ["MRN"], "sent": ["MRN", "PERSON"], "model-received": ["MRN", "PERSON"]},
    }
