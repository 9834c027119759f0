"""What the rooms share: had in full before a port opens; with an old policy goes all that was made of it."""

import time
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
from phigate.serving import read_policy
from phigate.starting import StartFault
from tests.stage import asking, entered, furnished, kept, places, policy_in, policy_text
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks

KEY = "ab" * 32


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
    made.journal.close("read now")
    (record,) = kept(made, "policy")
    assert (record["policy"], record["was"]) == (made.policy.sha256, None)


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


def force(house, folder, text):
    house.put_in_force(read_policy(policy_in(folder, text)))


def test_what_was_made_of_the_old_policy_goes_with_it(house, tmp_path):
    assert house.agent_shown("curl/8 536-22-8145") == "curl/8 [US_SSN]"
    assert house.agent_shown("python-httpx/0.28.1") == "python-httpx/0.28.1"
    assert leaks(house.agent_shown(f"python-httpx/0.28.1 Patient: {CANARY_NAME}")) == []
    force(house, tmp_path, policy_text(tail="capture: {mask: {OTHER: hash}, bodies: masked}\n"))
    assert "[US_SSN]" not in house.agent_shown("curl/8 536-22-8145")
    assert leaks(house.agent_shown("curl/8 536-22-8145")) == []


ROUTE = "routes: [{name: mine, match: 'POST /triage', action: predict}]\n"


def test_the_routes_are_those_of_the_policy_in_force(house, tmp_path):
    assert house.routes.find("POST", "/triage") is None
    hides = "fields: [{routes: ['POST /triage'], hide: {'$.bed': LOCATION}}]\n"
    force(house, tmp_path, policy_text(tail=ROUTE + hides))
    assert house.routes.find("POST", "/triage").route.name == "mine"
    seen = house.sight(Exchange("ex-1", 0.0, route="mine"), None)
    assert seen.tree_for_bystanders({"bed": "7"}, spoken(house.routes.find("POST", "/triage").route).answer) == {
        "bed": "[LOCATION]"
    }
    force(house, tmp_path, policy_text())
    assert house.routes.find("POST", "/triage") is None


def test_what_is_kept_follows_the_policy(tmp_path):
    made = furnished(tmp_path)
    assert (made.keep.keeps, made.keep.seals) == (True, False)
    named = text_of(X25519PrivateKey.generate().public_key())
    force(made, tmp_path, policy_text(tail=f"capture: {{bodies: sealed, seal_to: '{named}'}}\n"))
    assert made.keep.seals
    made.journal.close("test over")


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
