"""An edited policy is in force and on record if it is good; a bad one is said once, and the last good one stays."""

import os
import weakref
from pathlib import Path

import pytest

from phigate.house import House
from tests import policies
from tests.stage import kept, policy_text


def noted(house):
    """The `policy` records of the journal."""
    house.journal.close("read now")
    return kept(house, "policy")


def edit(folder, text):
    """Write the policy anew, with another time than before."""
    path = folder / "policy.yaml"
    path.write_text(text)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))


def test_an_edited_policy_is_in_force_and_on_record(house, tmp_path):
    was = house.policy.sha256
    edit(tmp_path, policy_text(policies.RULE.removeprefix("  - ").strip()))
    house.edits.reload_if_changed()
    assert [rule.name for rule in house.policy.rules] == ["care"]
    assert [(record["policy"], record["was"]) for record in noted(house)] == [(was, None), (house.policy.sha256, was)]


def test_each_file_of_the_journal_holds_the_policy_in_force(house):
    for _ in range(2):
        for tick in house.ticks:
            tick()
    house.edits._noted_in = Path("an-earlier-file")
    for tick in house.ticks:
        tick()
    told = (house.policy.sha256, house.policy.text)
    assert house.policy.text == policy_text()
    assert [(record["policy"], record["body"]) for record in noted(house)] == [told] * 2


def test_a_policy_that_is_refused_while_running_is_on_record(house, tmp_path):
    edit(tmp_path, "version: 9\n")
    house.edits.reload_if_changed()
    record = noted(house)[-1]
    assert (record["accepted"], record["was"], record["body"]) == (False, house.policy.sha256, None)
    assert any("version" in fault for fault in record["faults"])


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _endless(path):
    path.unlink()
    path.symlink_to("/dev/zero")


BAD = [
    (
        "with fields of a route that no server has",
        lambda path: path.write_text(
            policy_text(tail="fields: [{routes: ['POST /v1/chatt'], hide: {'$.bed': LOCATION}}]\n")
        ),
        "fields: no server has the route `POST /v1/chatt`",
    ),
    (
        "with a route that is known already",
        lambda path: path.write_text(
            policy_text(tail="routes: [{name: mine, match: 'POST /v1/chat/completions', action: chat}]\n")
        ),
        "routes[mine].match: is known already: it is `POST /v1/chat/completions` of the dialect `openai`",
    ),
    ("with a fault", lambda path: path.write_text("version: 9\n"), "last good one stays"),
    (
        "with a roster that is not there",
        lambda path: path.write_text(policy_text(tail="roster: gone\n")),
        "last good one stays",
    ),
    ("that is gone", lambda path: path.unlink(), "last good one stays"),
    ("that is no text", lambda path: path.write_bytes(b"\xff\xfe"), "last good one stays"),
    ("that is a pipe to which nobody writes", _pipe, "is not a file"),
    ("that never ends", _endless, "is not a file"),
    ("that is a pipe to which nobody writes", _pipe, "is not a file"),
    ("that never ends", _endless, "is not a file"),
]


@pytest.mark.parametrize(("sentence", "change", "said"), BAD, ids=[case[0] for case in BAD])
def test_the_last_good_policy_stays_in_place_of_one(house, tmp_path, caplog, sentence, change, said):
    policy, detectors = house.policy, house.sources.detectors
    change(tmp_path / "policy.yaml")
    house.edits.reload_if_changed()
    assert (house.policy, house.sources.detectors) == (policy, detectors)
    assert said in caplog.text
    assert ["policy" in each() for each in house.remarks].count(True) == 1


def test_readiness_says_so_until_one_is_in_force_again(house, tmp_path):
    good = (tmp_path / "policy.yaml").read_text()
    edit(tmp_path, "version: 9\n")
    house.edits.reload_if_changed()
    assert "policy" in {name for each in house.remarks for name in each()}
    edit(tmp_path, good)
    house.edits.reload_if_changed()
    assert "policy" not in {name for each in house.remarks for name in each()}


def test_a_bad_policy_is_told_once(house, tmp_path, caplog):
    edit(tmp_path, "version: 9\n")
    house.edits.reload_if_changed()
    caplog.clear()
    house.edits.reload_if_changed()
    assert caplog.text == ""


def test_a_policy_that_is_there_again_is_read_again(house, tmp_path):
    text = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").unlink()
    house.edits.reload_if_changed()
    (tmp_path / "policy.yaml").write_text(text.replace("name: care", "name: cure"))
    house.edits.reload_if_changed()
    assert house.policy.rules[0].name == "cure"


def with_roster(house, folder, people):
    (folder / "people.csv").write_text("name\n" + people)
    edit(folder, policy_text(tail="roster: people.csv\n"))
    house.edits.reload_if_changed()


def found(house, text):
    return {each.detector for each in house.sources.detectors.explain(text)}


def test_a_changed_roster_is_in_force_and_the_policy_stays(house, tmp_path):
    with_roster(house, tmp_path, "Quill Varnado\n")
    policy = house.policy
    assert "roster" in found(house, "so quill varnado did")
    (tmp_path / "people.csv").write_text("name\nOdo Prickett-Lahm\n")
    house.edits.reload_if_changed()
    assert house.policy is policy
    assert "roster" not in found(house, "so quill varnado did")
    assert "roster" in found(house, "so odo prickett-lahm did")


def test_a_roster_that_cannot_be_read_leaves_the_last_good_one_and_is_told_once(house, tmp_path, caplog):
    with_roster(house, tmp_path, "Quill Varnado\n")
    (tmp_path / "people.csv").write_text("shoes\n7\n")
    house.edits.reload_if_changed()
    assert "last good one stays" in caplog.text
    caplog.clear()
    house.edits.reload_if_changed()
    assert caplog.text == ""
    assert "roster" in found(house, "so quill varnado did")


async def test_a_roster_is_read_beside_the_loop(house, tmp_path):
    with_roster(house, tmp_path, "Quill Varnado\n")
    loading = house.edits._loading
    house.edits.reload_if_changed()
    assert house.edits._loading is loading
    await loading
    assert house.policy.roster == "people.csv"
    assert "roster" in found(house, "so quill varnado did")


async def test_what_was_read_before_goes_though_something_that_ended_meanwhile_still_held_it(house, tmp_path):
    with_roster(house, tmp_path, "Quill Varnado\n")
    await house.edits._loading
    ended = [house.sources.detectors]
    ended.append(ended)  # a circle, as a flow and its connection are
    before = weakref.ref(house.sources.detectors)
    for name in ("Odo Prickett-Lahm", "Ansel Threlkeld"):
        (tmp_path / "people.csv").write_text(f"name\n{name}\n")
        house.edits.reload_if_changed()
        await house.edits._loading
        ended = []
    assert before() is None


def test_it_is_looked_at_once_a_second():
    made = House()
    assert made.edits.reload_if_changed in made.ticks
