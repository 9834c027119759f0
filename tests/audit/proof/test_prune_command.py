"""Retention on a real folder: what goes, what stays, what is proven afterwards, and what holds it back."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from typer.testing import CliRunner

from phigate.audit import look
from phigate.cli import app
from phigate.journal import folder, pack, read
from phigate.journal.checkpoint import Checkpoints
from phigate.journal.signer import open_signer, public_keys
from phigate.journal.writer import open_journal
from phigate.terminal import POLICY
from tests.journal.samples import request

NOW = datetime.now(UTC)
OLD = [NOW - timedelta(days=days) for days in (2600, 2500, 2400, 100)]


def always(now):
    return lambda: now


@pytest.fixture
def place(tmp_path):
    """A gateway that ran three times more than six years ago, and once since."""
    signer = open_signer(tmp_path / "keys", "gw")
    for start in OLD:
        journal = open_journal(tmp_path / "journal", "gw", always(start), key=str(signer.vkey))
        journal.packer.stop(5.0)
        checkpoints = Checkpoints(journal.folder, signer, journal.snapshot, always(start))
        journal.sign = checkpoints.write
        journal.wait(journal.append("request", request("x")))
        journal.close("shutdown")
    return tmp_path


def run(place, *words):
    journal = ["--journal", str(place / "journal")]
    more = ["--keys", str(place / "keys"), "--policy", str(POLICY)] if words[0] == "prune" else []
    return CliRunner().invoke(app, [*words, *journal, *more])


def names(place, instance="gw"):
    return [file.name for file in read.files(place / "journal", instance)]


def prove(place):
    keys = [each for path in public_keys(place / "keys") for each in folder.keys_in(path)]
    return {proof.instance: proof for proof in folder.prove(place / "journal", keys)}


def records(place, kind):
    return [entry.record for entry in read.records(place / "journal") if entry.record["kind"] == kind]


def test_what_is_older_than_the_policy_says_goes_on_record_and_the_gap_is_proven(place):
    before = names(place)
    pack.pack(place / "journal" / before[0])
    result = run(place, "prune", "--reason", "six years are over")
    assert result.exit_code == 0, result.output
    assert names(place) == before[3:]
    assert len(list((place / "journal").glob("gw-*.checkpoints"))) == 1
    told = records(place, "prune")
    assert [(each["file"], each["since"], each["reason"]) for each in told] == [
        (name, 0, "six years are over") for name in before[:3]
    ]
    proof = prove(place)["gw"]
    assert proof.verdict == "holds"
    assert [each.reason for each in proof.notices] == ["pruned"]
    assert run(place, "prune").output.startswith("nothing is older than ")


def test_the_gateway_starts_again_behind_it(place):
    run(place, "prune")
    journal = open_journal(place / "journal", "gw", always(NOW))
    journal.sign = Checkpoints(journal.folder, open_signer(place / "keys", "gw"), journal.snapshot, always(NOW)).write
    journal.close("shutdown")
    assert prove(place)["gw"].verdict == "holds"


def test_a_gap_without_its_record_is_tampering(place):
    run(place, "prune")
    for path in (place / "journal").glob("*.cli-*"):
        path.unlink()
    assert {each.reason for each in prove(place)["gw"].findings} == {"missing"}


def test_a_record_of_a_deletion_that_nobody_signed_proves_nothing(place):
    run(place, "prune")
    for path in (place / "keys").glob("*.cli.journal.pub"):
        path.unlink()
    assert prove(place)["gw"].verdict == "untold"


def test_later_deletions_go_on_from_the_gap(place):
    before = names(place)
    limit = (NOW - timedelta(days=2550)).date()
    assert run(place, "prune", "--before", str(limit)).exit_code == 0
    assert names(place) == before[1:]
    run(place, "prune")
    assert names(place) == before[3:]
    assert [each["since"] for each in records(place, "prune")] == [0, 0, 0]
    assert prove(place)["gw"].verdict == "holds"


def test_a_dry_run_deletes_nothing(place):
    before = names(place)
    result = run(place, "prune", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.count("would delete gw-") == 3
    assert names(place) == before
    assert records(place, "prune") == []


def test_a_journal_that_does_not_hold_is_left_as_it_is(place):
    path = place / "journal" / names(place)[1]
    path.write_bytes(path.read_bytes().replace(b"shutdown", b"shutdowN"))
    before = names(place)
    result = run(place, "prune")
    assert result.exit_code == 1
    assert "wrong-start" in result.stderr
    assert names(place) == before
    assert records(place, "prune") == []


def test_without_the_gateway_s_key_nothing_is_deleted(place):
    before = names(place)
    for path in (place / "keys").iterdir():
        path.unlink()
    assert run(place, "prune").exit_code == 2
    assert names(place) == before


def test_a_record_that_cannot_be_written_deletes_nothing(place, monkeypatch):
    before = names(place)

    def refuse(*_):
        raise look.Unrecorded("the disk is full")

    monkeypatch.setattr(look, "write", refuse)
    result = run(place, "prune")
    assert (result.exit_code, names(place)) == (2, before)
    assert "the disk is full" in result.stderr


# -- legal holds ----------------------------------------------------------------------------------------------------


def test_what_a_hold_touches_stays_and_the_islands_are_proven(place):
    before = names(place)
    day = f"{OLD[1]:%Y-%m-%d}"
    assert (
        run(place, "legal-hold", "add", "inquiry", "--reason", "letter", "--since", day, "--until", day).exit_code == 0
    )
    result = run(place, "prune")
    assert f"kept {before[1]}: legal hold inquiry" in result.stdout
    assert names(place) == [before[1], before[3]]
    assert prove(place)["gw"].verdict == "holds"
    assert [each.reason for each in prove(place)["gw"].notices] == ["pruned", "pruned"]
    assert run(place, "legal-hold", "remove", "inquiry", "--reason", "settled").exit_code == 0
    run(place, "prune")
    assert names(place) == before[3:]
    assert prove(place)["gw"].verdict == "holds"
    about = [each["about"] for each in records(place, "look") if each["command"] == "legal-hold"]
    assert [sorted(each) for each in about] == [["add", "since", "until"], ["remove"]]


def test_a_hold_without_a_time_holds_everything(place):
    run(place, "legal-hold", "add", "all", "--reason", "letter")
    before = names(place)
    assert run(place, "prune").exit_code == 0
    assert names(place) == before
    assert run(place, "legal-hold", "list").stdout.startswith("all: the beginning to the end, since ")


@pytest.mark.parametrize(
    "words",
    [
        ["add", "x", "--reason", " "],
        ["add", "x" * 65, "--reason", "r"],
        ["add", "x", "--reason", "r", "--since", "soon"],
        ["add", "x", "--reason", "r", "--until", "soon"],
        ["add", "there", "--reason", "r"],
        ["remove", "none", "--reason", "r"],
    ],
)
def test_what_is_no_change_of_holds(place, words):
    run(place, "legal-hold", "add", "there", "--reason", "r")
    held = (place / "journal" / "holds.json").read_bytes()
    assert run(place, "legal-hold", *words).exit_code == 2
    assert (place / "journal" / "holds.json").read_bytes() == held


def test_holds_that_cannot_be_read_hold_everything(place):
    (place / "journal" / "holds.json").write_text("{")
    before = names(place)
    result = run(place, "prune")
    assert (result.exit_code, names(place)) == (2, before)
    assert "nothing may be deleted" in result.stderr
    assert run(place, "legal-hold", "list").exit_code == 2


def test_a_hold_that_is_not_on_record_is_not_put_up(place, monkeypatch):
    def refuse(*_):
        raise look.Unrecorded("read-only")

    monkeypatch.setattr(look, "record", refuse)
    assert run(place, "legal-hold", "add", "x", "--reason", "r").exit_code == 2
    assert not (place / "journal" / "holds.json").exists()


def test_the_file_of_holds_says_what_was_asked_for(place):
    run(place, "legal-hold", "add", "x", "--reason", "r", "--since", "2020-01-02")
    (hold,) = orjson.loads((place / "journal" / "holds.json").read_bytes())
    assert (hold["name"], hold["since"], hold["until"]) == ("x", "2020-01-02T00:00:00.000000Z", None)
