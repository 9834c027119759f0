"""What the console's endpoints are told by the house."""

import asyncio
import hashlib
import json
import time
from dataclasses import replace
from datetime import datetime

import pytest

from phigate.console.desk import ASSERTIONS, Desk
from phigate.exchange import Subject
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.saml import SamlRefused
from phigate.ledger import LedgerDown, Revocation
from phigate.serving import ProviderFault, providers_of
from phigate.starting import StartFault
from tests.identity import saml_peer
from tests.stage import ISSUER, furnished, policy_in, policy_text

CONSOLE = "https://console.phigate.example"
TAKE_BACK = "{name: take-back, permit: [officer], to: [revoke], models: ['*']}"
NOW = saml_peer.NOW
SAML = f"""\
saml:
  - entity_id: {saml_peer.ISSUER}
    certificates: [idp.pem]
    audience: phigate
    groups_from: {saml_peer.GROUPS}
"""


@pytest.fixture
def counted():
    return []


@pytest.fixture
def desk(tmp_path, counted):
    (tmp_path / "idp.pem").write_text(saml_peer.certificate("rsa"))
    house = furnished(tmp_path, policy_text(TAKE_BACK, tail=SAML))
    yield Desk(house, "https://ai.phigate.example", CONSOLE, lambda *said: counted.append(said))
    house.journal.close("test over")


def subject(*roles, who="ada"):
    return Subject(ISSUER, who, (), frozenset(roles), NOW + 100, issued=NOW - 10)


def test_it_speaks_of_the_policy_in_force(desk):
    assert desk.longest == 900
    assert desk.issuers == {ISSUER, saml_peer.ISSUER, CONSOLE}
    assert abs(desk.now() - time.time()) < 5
    assert len({desk.jti() for _ in range(100)}) == 100


def test_somebody_may_review_at_the_hours_at_which_a_rule_lets_them(tmp_path):
    reviews = "{name: reviews, permit: [officer], to: [review], models: ['*'],"
    house = furnished(tmp_path, policy_text(f'{reviews} hours: {{from: "07:00", to: "19:00", zone: Europe/Berlin}}}}'))
    made = Desk(house, "https://ai.phigate.example", CONSOLE, lambda *_said: None)
    noon, night = (datetime.fromisoformat(f"2026-11-25T{hour}:00:00+01:00").timestamp() for hour in (12, 23))
    assert [made.may_review(subject("officer"), now) for now in (noon, night)] == [True, False]
    house.journal.close("test over")


def test_an_issuers_clock_may_be_ahead_by_what_the_policy_allows(desk):
    assert desk.leeway(ISSUER) == 60
    assert desk.leeway(saml_peer.ISSUER) == 60


@pytest.mark.parametrize(("role", "may"), [("officer", True), ("clinician", False)])
def test_who_may_take_back_is_the_policys_to_say(desk, role, may):
    assert desk.may_revoke(subject(role), NOW) is may


async def test_an_assertion_proves_a_subject_of_its_provider(desk):
    found = await desk.assertion(saml_peer.signed(), NOW)
    assert isinstance(found, Subject)
    assert (found.issuer, found.signed_by) == (saml_peer.ISSUER, saml_peer.ISSUER)
    assert found.jti
    assert found.expires > NOW


async def test_an_assertion_by_another_key_proves_nothing(desk):
    assert await desk.assertion(saml_peer.signed("rsa.other"), NOW) == SamlRefused("signature-invalid")


async def test_an_assertion_of_somebody_who_is_out_proves_nothing(desk):
    found = await desk.assertion(saml_peer.signed(), NOW)
    entry = Revocation(saml_peer.ISSUER, found.id, None, cut=NOW + 1, expires=NOW + 1e6, by="eve", reason="lost")
    desk._house.agreement.follow.revoked.add([entry])
    assert await desk.assertion(saml_peer.signed(), NOW) == Refused("revoked")


async def test_an_assertion_is_not_settled_while_nobody_knows_who_is_out(desk, monkeypatch):
    monkeypatch.setattr("phigate.identity.follow.PATIENCE", -1.0)
    assert await desk.assertion(saml_peer.signed(), NOW) == Unavailable(saml_peer.ISSUER, 1, "ledger-unavailable")


async def test_without_a_ledger_nothing_is_taken_back_or_published(desk):
    entry = Revocation(ISSUER, "ada", None, NOW, NOW + 10, "eve", "lost")
    for asked in (desk.revoke(entry), desk.keys(NOW), desk.spend("token", "one", NOW + 10, NOW)):
        with pytest.raises(LedgerDown):
            await asked


async def test_with_a_ledger_all_of_it_works(desk):
    await desk._house.agreement.look()
    number = await desk.revoke(Revocation(ISSUER, "ada", None, NOW, NOW + 10, "eve", "lost"))
    assert number > 0
    assert await desk.spend("token", "one", NOW + 10, NOW)
    assert not await desk.spend("token", "one", NOW + 10, NOW)
    assert desk.signing_key(time.time()).kid in {key.kid for key in await desk.keys(time.time())}
    await desk._house.agreement.close()


async def test_who_is_out_is_known_only_while_the_ledger_answers(desk, monkeypatch):
    with pytest.raises(LedgerDown):
        _ = desk.codes
    await desk._house.agreement.look()
    assert desk.codes is desk._house.agreement.ledger.codes
    assert not desk.out(subject())
    assert desk.out(replace(subject(), issuer="https://nobody.example"))
    await desk.revoke(Revocation(ISSUER, "ada", None, NOW, NOW + 10, "eve", "lost"))
    await desk._house.agreement.look()
    assert desk.out(subject())
    assert not desk.out(subject(who="ben"))
    monkeypatch.setattr("phigate.identity.follow.PATIENCE", -1.0)
    with pytest.raises(LedgerDown):
        desk.out(subject(who="ben"))
    await desk._house.agreement.close()


def test_what_is_kept_of_a_code_takes_the_gateways_key_to_make(desk):
    kept = desk.digest("AAAAACCCCC")
    assert len(kept) == 32
    assert kept == desk.digest("AAAAACCCCC") != desk.digest("AAAAACCCCD")
    assert kept != hashlib.sha256(b"AAAAACCCCC").digest()


async def test_a_record_is_on_the_disk_when_it_is_told(desk):
    await desk.record("revocation", {"reason": "lost"})
    kinds = [json.loads(line)["kind"] for line in desk._house.journal.path.read_bytes().splitlines()]
    assert kinds[-1] == "revocation"


def test_the_unbelieved_are_counted(desk, counted):
    desk.refused("127.0.0.1", "expired")
    assert counted == [("127.0.0.1", "expired")]


# -- the certificates of identity providers -------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "no certificate", saml_peer.certificate("rsa-1024")])
def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path, text):
    if text is not None:
        (tmp_path / "idp.pem").write_text(text)
    with pytest.raises(StartFault, match=r"idp\.pem"):
        furnished(tmp_path, policy_text(TAKE_BACK, tail=SAML))


def test_a_certificate_that_cannot_be_used_changes_nothing_later(desk, tmp_path):
    before = desk._house.policy
    (tmp_path / "idp.pem").write_text("gone")
    policy_in(tmp_path, policy_text(TAKE_BACK, tail=SAML + "# changed\n"))
    desk._house.edits.reload_if_changed()
    assert desk._house.policy is before
    with pytest.raises(ProviderFault):
        providers_of(before)


async def test_of_many_assertions_at_once_those_too_many_are_not_even_read(desk):
    junk = saml_peer.assertion(attributes=saml_peer.stated("<a/>" * 1000)).encode()
    outcomes = await asyncio.gather(*(desk.assertion(junk, NOW) for _ in range(3 * ASSERTIONS)))
    assert sum(isinstance(each, SamlRefused) for each in outcomes) == ASSERTIONS
    assert sum(isinstance(each, Unavailable) for each in outcomes) == 2 * ASSERTIONS
    assert isinstance(await desk.assertion(junk, NOW), SamlRefused)  # the next has its turn again
