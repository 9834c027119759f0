"""What the rooms share: had in full before a port opens, and an edited policy is in force only if it is good."""

import json
import os
import time
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from phigate.capture.seal import text_of
from phigate.dialect.known import spoken
from phigate.exchange import Exchange
from phigate.host.addresses import Addresses
from phigate.house import House
from phigate.journal import folder
from phigate.options import OPTIONS, ROOT
from phigate.policy.masks import Mask, Transform
from phigate.starting import StartFault
from tests import policies
from tests.stage import asking, entered, furnished, places, policy_in, policy_text
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks

KEY = "ab" * 32


def noted(house):
    """The `policy` records of the journal."""
    house.journal.close("read now")
    records = [json.loads(line) for line in house.journal.path.read_bytes().splitlines()]
    return [record for record in records if record["kind"] == "policy"]


def wait_until(true):
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- the start ------------------------------------------------------------------------------------------------------


def start(folder, **changed):
    own = {"policy": policy_in(folder), **places(folder), "instance": "test"}
    made = House()
    made.furnish(**{name: str(value) for name, value in (own | changed).items()}, addresses=Addresses())
    return made


def test_a_furnished_house_has_it_all_and_notes_its_policy(tmp_path):
    made = start(tmp_path)
    assert not made.ready
    assert made.journal.healthy
    assert [(record["policy"], record["was"]) for record in noted(made)] == [(made.policy.sha256, None)]


def folder_of(path, mode):
    path.mkdir(mode=mode)
    path.chmod(mode)
    return path


def file_of(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


FAULTS = [
    ("no policy", lambda folder: {"policy": folder / "missing.yaml"}, "no such file or directory"),
    ("a folder for a policy", lambda folder: {"policy": folder}, "is a directory"),
    (
        "a policy with two faults",
        lambda folder: {
            "policy": file_of(folder / "bad.yaml", policy_text().replace("version: 1", "version: 9") + "x: 1\n")
        },
        "bad.yaml:",
    ),
    ("a file for a journal", lambda folder: {"journal": file_of(folder / "file", "")}, "option `phi_journal`: "),
    (
        "a journal that others may read",
        lambda folder: {"journal": folder_of(folder / "open", 0o755)},
        "others may look into this folder",
    ),
    ("a name that is none", lambda _folder: {"instance": "../etc"}, "an instance's name is"),
    ("a short key", lambda folder: {"secrets": file_of(folder / "short", "1 abcd")}, "expected `EPOCH KEY`"),
    (
        "a key that is no number",
        lambda folder: {"secrets": file_of(folder / "odd", "1 " + "xy" * 32)},
        "expected `EPOCH",
    ),
    ("a key without an epoch", lambda folder: {"secrets": file_of(folder / "none", f" {KEY}")}, "expected `EPOCH KEY`"),
    ("a key that others may read", lambda folder: {"secrets": file_of(folder / "open", f"1 {KEY}", 0o644)}, "mode 600"),
    ("no key in the environment", lambda _folder: {"secrets": "env:PHIGATE_NO_SUCH_KEY"}, "expected `EPOCH KEY`"),
    (
        "no ledger in the environment",
        lambda _folder: {"ledger": "env:PHIGATE_NO_SUCH_LEDGER"},
        "option `phi_ledger`: the environment variable `PHIGATE_NO_SUCH_LEDGER` is not set",
    ),
    ("keys in a file's place", lambda folder: {"secrets": file_of(folder / "f", "") / "key"}, "cannot be read or made"),
]


@pytest.mark.parametrize(("sentence", "change", "said"), FAULTS, ids=[case[0] for case in FAULTS])
def test_a_house_does_not_start_with(tmp_path, sentence, change, said):
    with pytest.raises(StartFault) as raised:
        start(tmp_path, **change(tmp_path))
    assert said in str(raised.value)
    assert KEY not in str(raised.value)


def test_all_faults_of_a_policy_are_told_at_once(tmp_path):
    bad = file_of(
        tmp_path / "bad.yaml", policy_text().replace("version: 1", "version: 9").replace("mask: lean", "mask: no")
    )
    with pytest.raises(StartFault) as raised:
        start(tmp_path, policy=bad)
    assert len(str(raised.value).splitlines()) == 2


def test_a_size_that_is_none_stops_the_start(tmp_path):
    own = {"policy": str(policy_in(tmp_path)), **places(tmp_path), "instance": "test"}
    with pytest.raises(StartFault, match="option `phi_journal_size`: `much`"):
        House().furnish(**own, addresses=Addresses(), space=("much", "2g", "256m"))


def test_an_anchor_that_is_none_stops_the_start(tmp_path):
    with pytest.raises(StartFault, match="option `phi_anchors`: an anchor is"):
        start(tmp_path, anchors="ftp://example")


def test_the_journal_is_signed_from_the_first_file_on_and_anchored(tmp_path):
    made = start(tmp_path, anchors=f"file:{tmp_path / 'kept'}")
    made.checkpoints.write(made.journal.snapshot())
    (anchor,) = made.anchors.every
    wait_until(lambda: anchor.size)
    for tick in made.ticks:
        tick()
    made.journal.close("shutdown")
    made.anchors.stop()
    keys = folder.keys_in(Path(places(tmp_path)["keys"], "test.journal.pub"))
    (proof,) = folder.prove(made.journal.folder, keys, [tmp_path / "kept"])
    assert (proof.verdict, proof.findings) == ("holds", [])
    assert proof.signed.spans == proof.anchored.spans == [(0, proof.records)]
    assert list(proof.claims) == ["file"]
    assert {*made.checkpoints.remarks(), *made.anchors.remarks()} == set()


def test_a_roster_that_cannot_be_read_stops_the_start(tmp_path):
    with pytest.raises(StartFault):
        furnished(tmp_path, policy_text(tail="roster: missing.csv\n"))


def test_a_policy_on_trial_is_read_at_the_start_and_followed(tmp_path):
    other = tmp_path / "trial"
    other.mkdir()
    made = start(tmp_path, shadow=policy_in(other, policy_text(SHADOW)))
    assert [rule.name for rule in made.trial.policy.rules] == ["shadow"]
    assert [rule.name for rule in made.policy.rules] != ["shadow"]
    assert made.trial.reload_if_changed in made.ticks
    made.journal.close("test over")


SHADOW = "{name: shadow, permit: [clinician], to: [chat], models: ['*'], mask: lean}"
BAD_TRIALS = [
    ("nowhere", None, "no such file or directory"),
    ("that is no policy", "version: 1\n", "issuers"),
    ("that names a route nobody has", policy_text(SHADOW, tail="fields: [{routes: [POST /x], keep: [$.a]}]\n"), "/x"),
]


@pytest.mark.parametrize(("sentence", "text", "said"), BAD_TRIALS, ids=[case[0] for case in BAD_TRIALS])
def test_a_gateway_does_not_start_with_a_policy_on_trial(tmp_path, sentence, text, said):
    path = tmp_path / "shadow.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StartFault, match="option `phi_shadow`") as fault:
        start(tmp_path, shadow=path)
    assert said in str(fault.value)


def test_what_else_must_be_had_is_had_last(tmp_path):
    made = House()
    made.openers.append(lambda: seen.append(made.journal.healthy))
    seen: list[bool] = []
    made.furnish(policy=str(policy_in(tmp_path)), **places(tmp_path), instance="test", addresses=Addresses())
    assert seen == [True]
    made.journal.close("test over")


def test_defaults_start_where_the_code_stands():
    files = {"phi_policy", "phi_journal", "phi_secrets", "phi_keys", "phi_ledger"}
    paths = [default for name, default, _ in OPTIONS if name in files]
    assert len(paths) == 5
    assert all(path.removeprefix("sqlite+aiosqlite:///").startswith(str(ROOT)) for path in paths)
    assert (ROOT / "addons" / "gateway.py").is_file()


def test_the_ledgers_url_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PHIGATE_LEDGER", f"sqlite+aiosqlite:///{tmp_path / 'elsewhere.db'}")
    made = start(tmp_path, ledger="env:PHIGATE_LEDGER")
    assert (tmp_path / "elsewhere.db").is_file()
    made.journal.close("test over")


# -- the policy -----------------------------------------------------------------------------------------------------


def edit(folder, text):
    """Write the policy anew, with another time than before."""
    path = folder / "policy.yaml"
    path.write_text(text)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))


def test_an_edited_policy_is_in_force_and_on_record(house, tmp_path):
    was = house.policy.sha256
    edit(tmp_path, policy_text(policies.RULE.removeprefix("  - ").strip()))
    house.reload_if_changed()
    assert [rule.name for rule in house.policy.rules] == ["care"]
    assert [(record["policy"], record["was"]) for record in noted(house)] == [(was, None), (house.policy.sha256, was)]


def test_each_file_of_the_journal_holds_the_policy_in_force(house):
    for _ in range(2):
        for tick in house.ticks:
            tick()
    house._noted_in = Path("an-earlier-file")
    for tick in house.ticks:
        tick()
    told = (house.policy.sha256, house.policy.text)
    assert house.policy.text == policy_text()
    assert [(record["policy"], record["body"]) for record in noted(house)] == [told] * 2


def test_a_policy_that_is_refused_while_running_is_on_record(house, tmp_path):
    edit(tmp_path, "version: 9\n")
    house.reload_if_changed()
    record = noted(house)[-1]
    assert (record["accepted"], record["was"], record["body"]) == (False, house.policy.sha256, None)
    assert any("version" in fault for fault in record["faults"])


def test_what_was_made_of_the_old_policy_goes_with_it(house, tmp_path):
    assert house.agent_shown("curl/8 536-22-8145") == "curl/8 [US_SSN]"
    assert house.agent_shown("python-httpx/0.28.1") == "python-httpx/0.28.1"
    assert leaks(house.agent_shown(f"python-httpx/0.28.1 Patient: {CANARY_NAME}")) == []
    edit(tmp_path, policy_text(tail="capture: {mask: {OTHER: hash}, bodies: masked}\n"))
    house.reload_if_changed()
    assert "[US_SSN]" not in house.agent_shown("curl/8 536-22-8145")
    assert leaks(house.agent_shown("curl/8 536-22-8145")) == []


ROUTE = "routes: [{name: mine, match: 'POST /triage', action: predict}]\n"


def test_the_routes_are_those_of_the_policy_in_force(house, tmp_path):
    assert house.routes.find("POST", "/triage") is None
    edit(tmp_path, policy_text(tail=f"{ROUTE}fields: [{{routes: ['POST /triage'], hide: {{'$.bed': LOCATION}}}}]\n"))
    house.reload_if_changed()
    assert house.routes.find("POST", "/triage").route.name == "mine"
    seen = house.sight(Exchange("ex-1", 0.0, route="mine"), None)
    assert seen.tree_for_bystanders({"bed": "7"}, spoken(house.routes.find("POST", "/triage").route).answer) == {
        "bed": "[LOCATION]"
    }
    edit(tmp_path, policy_text())
    house.reload_if_changed()
    assert house.routes.find("POST", "/triage") is None


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
    house.reload_if_changed()
    assert (house.policy, house.sources.detectors) == (policy, detectors)
    assert said in caplog.text
    assert ["policy" in each() for each in house.remarks].count(True) == 1


def test_readiness_says_so_until_one_is_in_force_again(house, tmp_path):
    good = (tmp_path / "policy.yaml").read_text()
    edit(tmp_path, "version: 9\n")
    house.reload_if_changed()
    assert "policy" in {name for each in house.remarks for name in each()}
    edit(tmp_path, good)
    house.reload_if_changed()
    assert "policy" not in {name for each in house.remarks for name in each()}


def test_a_bad_policy_is_told_once(house, tmp_path, caplog):
    edit(tmp_path, "version: 9\n")
    house.reload_if_changed()
    caplog.clear()
    house.reload_if_changed()
    assert caplog.text == ""


def test_a_policy_that_is_there_again_is_read_again(house, tmp_path):
    text = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").unlink()
    house.reload_if_changed()
    (tmp_path / "policy.yaml").write_text(text.replace("name: care", "name: cure"))
    house.reload_if_changed()
    assert house.policy.rules[0].name == "cure"


def test_what_is_kept_follows_the_policy(tmp_path):
    made = furnished(tmp_path)
    assert (made.keep.keeps, made.keep.seals) == (True, False)
    named = text_of(X25519PrivateKey.generate().public_key())
    policy_in(tmp_path, policy_text(tail=f"capture: {{bodies: sealed, seal_to: '{named}'}}\n"))
    made.reload_if_changed()
    assert made.keep.seals
    made.journal.close("test over")


def with_roster(house, folder, people):
    (folder / "people.csv").write_text("name\n" + people)
    edit(folder, policy_text(tail="roster: people.csv\n"))
    house.reload_if_changed()


def found(house, text):
    return {each.detector for each in house.sources.detectors.explain(text)}


def test_a_changed_roster_is_in_force_and_the_policy_stays(house, tmp_path):
    with_roster(house, tmp_path, "Quill Varnado\n")
    policy = house.policy
    assert "roster" in found(house, "so quill varnado did")
    (tmp_path / "people.csv").write_text("name\nOdo Prickett-Lahm\n")
    house.reload_if_changed()
    assert house.policy is policy
    assert "roster" not in found(house, "so quill varnado did")
    assert "roster" in found(house, "so odo prickett-lahm did")


def test_a_roster_that_cannot_be_read_leaves_the_last_good_one_and_is_told_once(house, tmp_path, caplog):
    with_roster(house, tmp_path, "Quill Varnado\n")
    (tmp_path / "people.csv").write_text("shoes\n7\n")
    house.reload_if_changed()
    assert "last good one stays" in caplog.text
    caplog.clear()
    house.reload_if_changed()
    assert caplog.text == ""
    assert "roster" in found(house, "so quill varnado did")


async def test_a_roster_is_read_beside_the_loop(house, tmp_path):
    with_roster(house, tmp_path, "Quill Varnado\n")
    loading = house._loading
    house.reload_if_changed()
    assert house._loading is loading
    await loading
    assert house.policy.roster == "people.csv"
    assert "roster" in found(house, "so quill varnado did")


async def test_what_was_read_before_goes_though_something_that_ended_meanwhile_still_held_it(house, tmp_path):
    with_roster(house, tmp_path, "Quill Varnado\n")
    await house._loading
    ended = [house.sources.detectors]
    ended.append(ended)  # a circle, as a flow and its connection are
    before = weakref.ref(house.sources.detectors)
    for name in ("Odo Prickett-Lahm", "Ansel Threlkeld"):
        (tmp_path / "people.csv").write_text(f"name\n{name}\n")
        house.reload_if_changed()
        await house._loading
        ended = []
    assert before() is None


def test_it_is_looked_at_once_a_second():
    made = House()
    assert made.reload_if_changed in made.ticks


# -- what is seen ---------------------------------------------------------------------------------------------------

SURROGATES = Mask("surrogates", {"OTHER": Transform("surrogate")})


def seen_by(house, who, mask=SURROGATES):
    exchange = entered(asking(), "clinician").exchange
    exchange.subject = replace(exchange.subject, id=who)
    return house.sight(exchange, mask).text(f"Patient: {CANARY_NAME}.")


def test_a_person_sees_one_stand_in_and_another_person_another(house):
    assert seen_by(house, "ada")[0] == seen_by(house, "ada")[0]
    assert seen_by(house, "ada")[0] != seen_by(house, "bob")[0]
    assert leaks(seen_by(house, "ada")[0]) == []


def test_bystanders_see_everything_through_one_mask(house):
    assert seen_by(house, "ada")[1] == seen_by(house, "bob", None)[1] == "Patient: [PERSON]."


def test_without_a_mask_the_caller_sees_it_all(house):
    assert seen_by(house, "ada", None)[0] == f"Patient: {CANARY_NAME}."


def test_nobodys_texts_can_be_seen_too(house):
    caller, shown = house.sight(Exchange("ex-1", 0.0), SURROGATES).text(CANARY_TEXT)
    assert leaks(caller) == leaks(shown) == []
