"""Bearers issued, narrowed and taken back over HTTP: real keys, bearers, assertions and ledger; no socket."""

import asyncio
import base64
import hashlib
import itertools
import json
import logging
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from phigate.console.tokens import REMEMBER, routes
from phigate.exchange import Scope, Subject
from phigate.identity import grants
from phigate.identity.claims import MAX_LIFETIME
from phigate.identity.follow import Follow
from phigate.identity.jwks import KeySet, parse_jwks
from phigate.identity.keyring import open_keyring
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.own import Own
from phigate.identity.proof import Presented, thumbprint
from phigate.identity.saml import Asserted, check_assertion
from phigate.identity.strict import read_bearer
from phigate.identity.verify import Verifier
from phigate.journal.chain import KINDS, Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown, open_ledger
from phigate.ledger.ledger import SKEW
from phigate.policy.decide import Permit, PromptFacts, decide
from phigate.policy.load import parse_policy
from tests import policies
from tests.identity import forge, saml_peer

NOW = forge.NOW
IDP = "https://idp.example"
GATEWAY, CONSOLE = "https://ai.example", "https://console.phigate.example"
ROTATE = timedelta(days=7)
RULES = (
    "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean}",
    "{name: out, permit: [officer], to: [revoke], models: ['*']}",
)
SAML = f"""\
saml:
  - entity_id: {saml_peer.ISSUER}
    certificates: [idp.pem]
    audience: phigate
    groups_from: {saml_peer.GROUPS}
"""
FORM = "application/x-www-form-urlencoded"


AHEAD = 60.0


class House:
    """What stands behind the endpoints: as in a gateway, but time and the journal are the test's."""

    url, console, longest = GATEWAY, CONSOLE, 900.0
    issuers = frozenset({IDP, saml_peer.ISSUER, CONSOLE})

    def __init__(self, folder, ledger, *, name="one", keys=None):
        (folder / "keys.json").write_text(json.dumps({"keys": [forge.jwk_of("rsa")]}))
        text = policies.text(*RULES, tail=SAML).replace("keys: discover", "keys: file:keys.json")
        self.policy = parse_policy(text.encode(), "policy.yaml", folder)
        self.ledger, self.follow, self.time = ledger, Follow(), NOW
        self.keyring = open_keyring(keys or folder / "keys", name, NOW, ROTATE)
        self.verifier = Verifier(self.policy, own=Own(CONSOLE, (GATEWAY,)), follow=self.follow, spend=self.spend)
        self.records, self.counted, self.numbers = [], [], itertools.count()
        self.broken = None

    async def look(self):
        for key in self.keyring.due(self.time, ROTATE):
            await self.ledger.publish(key)
            self.keyring.published(key)
        await self.follow.look(self.ledger, self.time)

    def leeway(self, issuer):
        return AHEAD

    def now(self):
        return self.time

    def jti(self):
        return f"jti-{next(self.numbers)}"

    def signing_key(self, now):
        return self.keyring.active(now)

    async def verify(self, fields, presented, now):
        return await self.verifier.verify(fields, presented, now)

    async def present(self, bearer, presented, now):
        return await self.verifier.present(bearer, presented, now)

    async def believe(self, bearer, now):
        return await self.verifier.believe(bearer, now)

    async def assertion(self, raw, now):
        found = check_assertion(raw, (saml_peer.provider(),), f"{CONSOLE}/token", now)
        if not isinstance(found, Asserted):
            return found
        roles = self.policy.roles_of(found.groups)
        named = (found.issuer, found.id, found.groups, roles, found.expires, found.assertion, found.issued)
        subject = Subject(*named, signed_by=found.issuer)
        return Refused("revoked") if self.follow.revoked.covers(subject) else subject

    def may_revoke(self, subject, now):
        decision = decide(self.policy, subject, frozenset({"revoke"}), None, PromptFacts(), (), now)
        return isinstance(decision, Permit)

    async def spend(self, kind, key, expires, now):
        return await self.ledger.spend(kind, key, expires, now)

    async def revoke(self, revocation):
        return await self.ledger.revoke(revocation)

    async def keys(self, now):
        return await self.ledger.keys(now)

    async def record(self, kind, fields):
        assert kind in KINDS
        if self.broken is not None:
            raise self.broken
        json.dumps(fields)
        self.records.append({"kind": kind} | fields)

    def refused(self, client_ip, reason):
        self.counted.append((client_ip, reason))

    # -- the caller's side

    @property
    def http(self):
        app = FastAPI()
        app.include_router(routes(self))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example")

    async def post(self, path, form=None, headers=None, **more):
        async with self.http as client:
            return await client.post(path, data=form, headers=headers, **more)

    async def get(self, path, **headers):
        async with self.http as client:
            return await client.get(path, headers=headers)

    async def exchange(self, bearer, headers=None, **more):
        form = {"grant_type": grants.EXCHANGE, "subject_token": bearer, "subject_token_type": grants.ACCESS_TOKEN}
        return await self.post("/token", form | more, headers)

    async def issue(self, bearer, **more):
        answer = await self.exchange(bearer, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    async def taken_back(self, caller, headers=None, **form):
        return await self.post("/revoke", form, {"authorization": f"Bearer {caller}"} | (headers or {}))

    async def who(self, bearer):
        """Who a bearer proves, as the gateway's own port finds out."""
        return await self.verifier.present(bearer, Presented("POST", f"{GATEWAY}/v1/chat/completions"), self.time)


@pytest.fixture
async def ledger(tmp_path):
    made = await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    yield made
    await made.close()


@pytest.fixture
async def house(tmp_path, ledger):
    made = House(tmp_path, ledger)
    await made.look()
    yield made
    await made.verifier.close()


def bearer(*groups, who="ada", **changes):
    said = {"iss": IDP, "sub": who, "groups": list(groups or ("ward",)), "jti": f"{who}-1"}
    return forge.mint(forge.claims(**(said | changes)))


def officer(**changes):
    return bearer("privacy", who="kai", **changes)


def claims(text):
    return read_bearer(text).claims


def asserted(*names, **parts):
    # signed by xmlsec, sent as RFC 7522 section 2.1 says
    return base64.urlsafe_b64encode(saml_peer.signed(*names, **parts)).rstrip(b"=").decode()


ASSERTION = {"grant_type": grants.SAML_BEARER}
SAML2 = {"grant_type": grants.EXCHANGE, "subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}


# -- a bearer is issued ---------------------------------------------------------------------------------------------


async def test_a_bearer_of_a_provider_is_exchanged_for_one_of_the_gateways(house):
    answer = await house.exchange(bearer(), scope="action:chat model:ward", lifetime="PT5M")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    text = body.pop("access_token")
    assert body == {  # RFC 8693 section 2.2.1
        "issued_token_type": grants.ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "action:chat model:ward",
    }
    subject = await house.who(text)
    assert (subject.issuer, subject.id, subject.groups) == (IDP, "ada", ("ward",))
    assert subject.roles == {"clinician"}
    assert subject.scope == Scope(frozenset({"ward"}), frozenset({"chat"}))
    assert (subject.signed_by, subject.expires) == (CONSOLE, NOW + 300)


async def test_it_is_on_record_before_it_is_handed_out(house):
    text = await house.issue(bearer(), uses="1", scope="action:chat")
    (record,) = house.records
    assert record == {
        "kind": "token",
        "subject": {"issuer": IDP, "id": "ada", "roles": ["clinician"], "groups": ["ward"]},
        "client": {"ip": "127.0.0.1"},
        "grant": "token-exchange",
        "decision": "permit",
        "reason": None,
        "jti": claims(text)["jti"],
        "expires": NOW + 600,
        "scope": "action:chat",
        "uses": 1,
        "bound": [],
    }
    assert text not in json.dumps(house.records)


@pytest.mark.parametrize("fault", [JournalDown("full"), Unrecordable("odd")], ids=["down", "not a line"])
async def test_what_cannot_be_recorded_is_not_issued(house, fault):
    house.broken = fault
    answer = await house.exchange(bearer())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"] == "temporarily_unavailable"


async def test_an_assertion_is_exchanged_by_either_grant(house):
    for grant, name in ((ASSERTION, "assertion"), (SAML2, "subject_token")):
        signature = saml_peer.template(references=saml_peer.reference(f"#_{name}"))
        answer = await house.post("/token", grant | {name: asserted(id=f"_{name}", signature=signature)})
        assert answer.status_code == 200, answer.text
        subject = await house.who(answer.json()["access_token"])
        assert (subject.issuer, subject.id) == (saml_peer.ISSUER, "ann@hospital.example")
        assert subject.groups == ("ward-staff", "research")
        assert ("issued_token_type" in answer.json()) == (grant is SAML2)
    assert [record["grant"] for record in house.records] == ["saml2-bearer", "token-exchange"]


@pytest.mark.parametrize(
    ("grant", "name", "error"),
    [(ASSERTION, "assertion", "invalid_grant"), (SAML2, "subject_token", "invalid_request")],
    ids=["RFC 7522", "RFC 8693"],
)
async def test_an_assertion_counts_once_on_whichever_gateway_and_by_whichever_grant(
    house, tmp_path, ledger, grant, name, error
):
    text = asserted()
    assert (await house.post("/token", ASSERTION | {"assertion": text})).status_code == 200
    (tmp_path / "two").mkdir()
    other = House(tmp_path / "two", ledger, name="two")
    await other.look()
    for each in (house, other):
        answer = await each.post("/token", grant | {name: text})
        assert (answer.status_code, answer.json()["error"]) == (400, error)
        record = each.records[-1]
        assert (record["decision"], record["reason"]) == ("deny", "assertion-replayed")
        assert record["subject"]["id"] == "ann@hospital.example"
    await other.verifier.close()


async def test_of_many_that_race_with_one_assertion_one_wins(house):
    text = asserted()
    answers = await asyncio.gather(*(house.post("/token", ASSERTION | {"assertion": text}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


async def test_a_fault_in_the_scope_does_not_spend_an_assertion(house):
    text = asserted()
    for changes in ({"scope": "openid"}, {"lifetime": "0"}):
        assert (await house.post("/token", ASSERTION | {"assertion": text} | changes)).status_code == 400
    assert (await house.post("/token", ASSERTION | {"assertion": text})).status_code == 200


# -- never beyond its origin ----------------------------------------------------------------------------------------


async def test_it_never_outlives_its_origin(house):
    text = await house.issue(bearer(exp=NOW + 40), lifetime="PT10M")
    assert claims(text)["exp"] == NOW + 40
    assert claims(await house.issue(text, lifetime="86400"))["exp"] == NOW + 40


async def test_it_never_outlives_what_the_policy_says(house):
    assert claims(await house.issue(bearer(exp=NOW + 7200), lifetime="P1D"))["exp"] == NOW + 900


async def test_a_narrower_one_can_be_had_for_it_and_never_a_wider_one(house):
    wide = await house.issue(bearer(), scope="model:a model:b")
    narrow = await house.issue(wide, scope="model:a action:chat")
    assert (await house.who(narrow)).scope == Scope(frozenset({"a"}), frozenset({"chat"}))
    for scope in ("model:a model:b", "model:c action:chat", "action:chat", "model:a action:embed"):
        answer = await house.exchange(narrow, scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
        assert (house.records[-1]["decision"], house.records[-1]["reason"]) == ("deny", "scope-exceeded")
    assert (await house.who(await house.issue(narrow))).scope == (await house.who(narrow)).scope


async def test_one_for_a_single_use_cannot_be_exchanged(house):
    answer = await house.exchange(await house.issue(bearer(), uses="1"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert house.records[-1]["reason"] == "one-shot"


async def test_after_eight_exchanges_it_is_enough(house):
    text = bearer()
    for _ in range(8):
        text = await house.issue(text)
    assert (await house.exchange(text)).status_code == 400
    assert house.records[-1]["reason"] == "family-too-long"


async def test_an_origin_in_its_leeway_gives_nothing(house):
    # The policy's leeway lets a bearer by for another minute; what comes of it would be over.
    answer = await house.exchange(bearer(exp=NOW - 5))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert house.records[-1]["reason"] == "expired"


# -- who is not believed --------------------------------------------------------------------------------------------

UNBELIEVED = [
    ("a bearer of nobody", lambda: bearer(iss="https://evil.example"), "issuer-unknown"),
    ("a bearer that is over", lambda: bearer(exp=NOW - 300, iat=NOW - 600), "expired"),
    ("a bearer for somebody else", lambda: bearer(aud="other"), "aud-mismatch"),
    ("a bearer signed by another key", lambda: forge.mint(forge.claims(iss=IDP), key=forge.private_key("rsa-other")),
     "signature-invalid"),
    ("an ID token", lambda: bearer(nonce="n", at_hash="h"), "id-token"),
    ("words", lambda: "Quartermaine", "malformed"),
    ("an unsigned bearer", lambda: bearer().rpartition(".")[0] + ".", "malformed"),
    ("a bearer that says it is ours", lambda: bearer(iss=CONSOLE, aud=GATEWAY), "alg-not-allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "made", "reason"), UNBELIEVED, ids=[case[0] for case in UNBELIEVED])
async def test_nothing_is_given_for(sentence, made, reason, house):
    text = made()
    answer = await house.exchange(text)
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_request", "error_description": "The subject_token is not believed."}
    assert answer.headers["cache-control"] == "no-store"
    assert house.counted == [("127.0.0.1", reason)]
    assert house.records == []


async def test_nothing_is_given_for_an_assertion_that_is_not_believed(house):
    for text, reason in ((asserted("rsa.other"), "signature-invalid"), ("Quartermaine", "not-utf8"), ("=", None)):
        answer = await house.post("/token", ASSERTION | {"assertion": text})
        assert answer.status_code == 400
        assert answer.json() == {"error": "invalid_grant", "error_description": "The assertion is not believed."}
        assert reason in {None, house.counted[-1][1]}
    assert len(house.counted) == 3
    assert house.records == []


async def test_a_fault_of_the_form_is_counted_and_not_recorded(house):
    answer = await house.exchange(bearer(), scope="Quartermaine")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert house.counted == [("127.0.0.1", "scope-invalid")]
    assert house.records == []
    assert "Quartermaine" not in answer.text


# -- what is bound to a key -----------------------------------------------------------------------------------------

KEY = "ES256"
THUMBPRINT = thumbprint(forge.jwk_of(KEY))
BOUND = {"cnf": {"jkt": THUMBPRINT}}
JWK = {name: value for name, value in forge.jwk_of(KEY).items() if name in {"kty", "crv", "x", "y"}}


def proof(text, path="/token", base=CONSOLE, head=None, **changes):
    """A proof for one request that holds the key of THUMBPRINT (RFC 9449 section 4.2)."""
    ath = forge.to_base64url(hashlib.sha256(text.encode()).digest())
    said = {"jti": f"p-{next(NUMBERS)}", "htm": "POST", "htu": f"{base}{path}", "iat": NOW, "ath": ath} | changes
    return forge.mint(said, {"typ": "dpop+jwt", "alg": KEY, "jwk": JWK} | (head or {}), alg=KEY)


NUMBERS = itertools.count()


async def test_what_comes_of_a_proven_bearer_is_bound_to_the_same_key(house):
    theirs = bearer(**BOUND)
    answer = await house.exchange(theirs, {"dpop": proof(theirs)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    own = answer.json()["access_token"]
    assert claims(own)["cnf"] == {"jkt": THUMBPRINT}
    assert house.records[-1]["bound"] == ["jkt"]
    assert await house.who(own) == Refused("proof-missing")
    again = await house.exchange(own, {"dpop": proof(own)}, scope="action:chat")
    assert claims(again.json()["access_token"])["cnf"] == {"jkt": THUMBPRINT}


PROOFS = [
    ("none", None, "invalid_request", "proof-missing"),
    ("words", lambda text: "Quartermaine", "invalid_dpop_proof", "proof-invalid"),
    ("one for the gateway's own port", lambda text: proof(text, base=GATEWAY), "invalid_dpop_proof", "proof-mismatch"),
    ("one for revoking", lambda text: proof(text, "/revoke"), "invalid_dpop_proof", "proof-mismatch"),
    ("one for another bearer", lambda text: proof(bearer()), "invalid_dpop_proof", "proof-mismatch"),
    ("an old one", lambda text: proof(text, iat=NOW - 300), "invalid_dpop_proof", "proof-invalid"),
    ("one for GET", lambda text: proof(text, htm="GET"), "invalid_dpop_proof", "proof-mismatch"),
]


@pytest.mark.parametrize(("sentence", "made", "error", "reason"), PROOFS, ids=[case[0] for case in PROOFS])
async def test_nothing_is_given_for_a_bound_bearer_whose_proof_is(sentence, made, error, reason, house):
    theirs = bearer(**BOUND)
    answer = await house.exchange(theirs, {"dpop": made(theirs)} if made else None)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert house.counted == [("127.0.0.1", reason)]
    assert house.records == []


async def test_a_proof_counts_once(house):
    theirs = bearer(**BOUND)
    headers = {"dpop": proof(theirs)}
    assert (await house.exchange(theirs, headers)).status_code == 200
    answer = await house.exchange(theirs, headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


async def test_two_proofs_are_none(house):
    theirs = bearer(**BOUND)
    answer = await house.exchange(theirs, [("dpop", proof(theirs)), ("dpop", proof(theirs))])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


async def test_whoever_shows_a_proof_gets_no_bearer_without_binding(house):
    theirs = bearer()
    for form in (
        {"grant_type": grants.EXCHANGE, "subject_token": theirs, "subject_token_type": grants.ACCESS_TOKEN},
        ASSERTION | {"assertion": asserted()},
    ):
        answer = await house.post("/token", form, {"dpop": proof(theirs)})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
        assert house.counted.pop() == ("127.0.0.1", "proof-not-bound")


async def test_a_bearer_bound_to_a_certificate_cannot_be_exchanged_where_there_is_none(house):
    answer = await house.exchange(bearer(cnf={"x5t#S256": THUMBPRINT}))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert [reason for _, reason in house.counted] == ["proof-missing"]


async def test_a_bound_bearer_is_given_up_with_its_proof_and_only_so(house):
    theirs = bearer(**BOUND)
    assert (await house.post("/revoke", {"token": theirs}, {"authorization": f"Bearer {theirs}"})).status_code == 401
    fields = {"authorization": f"DPoP {theirs}", "dpop": proof(theirs, "/revoke")}
    assert (await house.post("/revoke", {"token": theirs}, fields)).status_code == 200
    assert house.records[-1]["revoked"]["jti"] == "ada-1"


# -- requests of the wrong form -------------------------------------------------------------------------------------

TYPES = [
    ("JSON", "application/json"),
    ("a form of parts", "multipart/form-data; boundary=x"),
    ("text", "text/plain"),
    ("another charset", f"{FORM}; charset=utf-16"),
    ("another parameter", f"{FORM}; boundary=x"),
    ("a name that begins like ours", f"{FORM}2"),
    ("two types in one", f"{FORM}, application/json"),
    ("nothing", ""),
]
BODY = b"grant_type=password"


@pytest.mark.parametrize(("sentence", "kind"), TYPES, ids=[case[0] for case in TYPES])
@pytest.mark.parametrize("path", ["/token", "/revoke"])
async def test_a_body_is_not_read_that_says_it_is(path, sentence, kind, house):
    headers = {"content-type": kind, "authorization": f"Bearer {officer()}"}
    answer = await house.post(path, content=BODY, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "urlencoded" in answer.json()["error_description"]


@pytest.mark.parametrize("kind", [FORM, FORM.upper(), f"{FORM}; charset=UTF-8", f'{FORM};charset="utf-8"'])
async def test_a_body_is_read_that_says_it_is(kind, house):
    answer = await house.post("/token", content=BODY, headers={"content-type": kind})
    assert answer.json()["error"] == "unsupported_grant_type"


MALFORMED = [
    ("parameters in the address", "/token?grant_type=password", {}, BODY, 400),
    ("a bearer in the address", f"/token?subject_token={bearer()}", {}, BODY, 400),
    ("a body that is packed", "/token", {"content-encoding": "gzip"}, BODY, 400),
    ("two types of content", "/token", [("content-type", FORM), ("content-type", FORM)], BODY, 400),
    ("a body too large", "/token", {}, b"a=" + b"b" * grants.MAX_FORM, 413),
    ("no body", "/token", {}, b"", 400),
]


@pytest.mark.parametrize(("sentence", "path", "headers", "body", "status"), MALFORMED, ids=[c[0] for c in MALFORMED])
async def test_the_token_endpoint_refuses(sentence, path, headers, body, status, house):
    fields = headers if isinstance(headers, list) else {"content-type": FORM} | headers
    answer = await house.post(path, content=body, headers=fields)
    assert (answer.status_code, answer.json()["error"]) == (status, "invalid_request")
    assert answer.headers["cache-control"] == "no-store"
    assert len(house.counted) == 1
    assert house.records == []


async def test_a_body_without_end_is_left_where_it_is_too_long(house):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65536
            yield b"a" * 65536

    answer = await asyncio.wait_for(house.post("/token", content=endless(), headers={"content-type": FORM}), 10)
    assert answer.status_code == 413
    assert sent <= 2 * grants.MAX_FORM


async def test_a_body_that_does_not_come_is_not_waited_for(house, monkeypatch):
    monkeypatch.setattr("phigate.console.tokens.PATIENCE", 0.05)

    async def slow():
        yield b"grant_type="
        await asyncio.sleep(30)

    answer = await asyncio.wait_for(house.post("/token", content=slow(), headers={"content-type": FORM}), 10)
    assert (answer.status_code, answer.json()["error"]) == (408, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD", "DELETE"])
@pytest.mark.parametrize("path", ["/token", "/revoke"])
async def test_only_post_is_answered_and_no_other_origin_is_let_in(method, path, house):
    async with house.http as client:
        answer = await client.request(method, path, headers={"origin": "https://evil.example"})
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


# -- taking back ----------------------------------------------------------------------------------------------------


async def test_whoever_holds_a_bearer_can_give_it_up_and_no_rule_is_asked(house):
    mine, other = await house.issue(bearer()), await house.issue(bearer())
    answer = await house.taken_back(mine, token=mine)
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (200, b"{}", "no-store")
    await house.look()
    assert await house.who(mine) == Refused("revoked")
    assert isinstance(await house.who(other), Subject)
    record = house.records[-1]
    assert (record["kind"], record["decision"], record["reason"]) == ("revocation", "permit", "given-up")
    assert record["revoked"] == {"issuer": CONSOLE, "subject": None, "jti": claims(mine)["jti"], "cut": NOW - 10}
    assert record["subject"]["id"] == "ada"


async def test_what_was_exchanged_for_a_bearer_goes_with_it(house):
    theirs = bearer()
    first = await house.issue(theirs)
    second = await house.issue(first)
    assert (await house.taken_back(first, token=first)).status_code == 200
    await house.look()
    assert await house.who(second) == Refused("revoked")
    assert isinstance(await house.who(theirs), Subject)
    third = await house.issue(theirs)
    assert (await house.taken_back(theirs, token=theirs)).status_code == 200
    await house.look()
    assert await house.who(third) == Refused("revoked")
    assert (await house.exchange(theirs)).status_code == 400


async def test_a_bearer_without_a_name_is_given_up_by_its_date(house):
    nameless, later = bearer(jti=None), bearer(jti=None, iat=NOW - 5)
    assert (await house.taken_back(nameless, token=nameless)).status_code == 200
    await house.look()
    assert await house.who(nameless) == Refused("revoked")
    assert isinstance(await house.who(later), Subject)


WAYS = [
    ("the bearer itself", lambda own, theirs: {"token": own}),
    ("the bearer itself, with a hint", lambda own, theirs: {"token": own, "token_type_hint": "refresh_token"}),
    ("its id", lambda own, theirs: {"jti": claims(own)["jti"]}),
    ("its id and who issued it", lambda own, theirs: {"jti": claims(own)["jti"], "issuer": CONSOLE}),
    ("the bearer it comes from", lambda own, theirs: {"token": theirs}),
    ("the id of what it comes from", lambda own, theirs: {"jti": "ada-1", "issuer": IDP}),
    ("its subject", lambda own, theirs: {"subject": "ada", "issuer": IDP}),
]


@pytest.mark.parametrize(("sentence", "form"), WAYS, ids=[case[0] for case in WAYS])
async def test_whoever_a_rule_permits_takes_back_by(sentence, form, house):
    theirs = bearer()
    own = await house.issue(theirs)
    asked = form(own, theirs) | {"reason": "left-42"}
    assert (await house.taken_back(officer(), **asked)).status_code == 200
    await house.look()
    assert await house.who(own) == Refused("revoked")
    record = house.records[-1]
    assert (record["subject"]["id"], record["decision"], record["reason"]) == ("kai", "permit", "left-42")


@pytest.mark.parametrize(("sentence", "form"), WAYS, ids=[case[0] for case in WAYS])
async def test_whoever_no_rule_permits_takes_back_nothing_by(sentence, form, house):
    theirs = bearer(who="ada")
    own = await house.issue(theirs)
    answer = await house.taken_back(bearer(who="bob"), **form(own, theirs))
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    await house.look()
    assert isinstance(await house.who(own), Subject)
    record = house.records[-1]
    assert (record["decision"], record["reason"], record["revoked"]) == ("deny", "denied", None)
    assert record["subject"]["id"] == "bob"
    assert "ada" not in json.dumps(record)


LIMITED = [
    ("a model", {"scope": "model:ward"}, 403),
    ("another action", {"scope": "action:chat"}, 403),
    ("one use", {"uses": "1"}, 403),
    ("revoking", {"scope": "action:revoke"}, 200),
    ("revoking and a model", {"scope": "action:revoke model:ward"}, 200),
]


@pytest.mark.parametrize(("sentence", "limits", "status"), LIMITED, ids=[case[0] for case in LIMITED])
async def test_an_officers_bearer_that_is_for(sentence, limits, status, house):
    own = await house.issue(officer(), **limits)
    answer = await house.taken_back(own, subject="ada", issuer=IDP)
    assert answer.status_code == status
    assert (await house.taken_back(own, token=own)).status_code == 200


NOT_YET = [
    ("not valid yet", {"nbf": NOW + 90}),
    ("of a date to come", {"iat": NOW + 90}),
]


@pytest.mark.parametrize(("sentence", "changed"), NOT_YET, ids=[case[0] for case in NOT_YET])
async def test_nobody_is_told_that_a_bearer_was_taken_back_that_is(sentence, changed, house):
    text = bearer(exp=NOW + 600, **changed)
    answer = await house.taken_back(officer(), token=text)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    house.time = NOW + 90
    assert (await house.taken_back(officer(), token=text)).status_code == 200
    await house.look()
    assert await house.who(text) == Refused("revoked")


async def test_nobody_is_told_that_a_bearer_was_taken_back_whose_key_is_not_known_yet(house):
    answer = await house.taken_back(officer(), token=forge.mint(forge.claims(iss=IDP), forge.header(kid="tomorrow")))
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


async def test_nobody_is_a_subject_of_the_gateway_itself(house):
    answer = await house.taken_back(officer(), subject="ada", issuer=CONSOLE)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await house.taken_back(officer(), jti="jti-1", issuer=CONSOLE)).status_code == 200


async def test_what_is_issued_while_a_form_comes_slowly_is_taken_back_too(house):
    async def slow():
        yield b"subject=ada&"
        house.time = NOW + 9
        yield f"issuer={IDP}".encode()

    headers = {"content-type": FORM, "authorization": f"Bearer {officer()}"}
    assert (await house.post("/revoke", content=slow(), headers=headers)).status_code == 200
    (entry,) = await house.ledger.revocations(0, NOW)
    assert entry.cut == NOW + 9 + AHEAD


async def test_whose_bearer_is_taken_back_while_a_form_comes_slowly_takes_nobody_back(house):
    async def slow():
        yield b"subject=ada&"
        await house.taken_back(bearer("privacy", who="eve"), subject="kai", issuer=IDP)
        await house.look()
        yield f"issuer={IDP}".encode()

    headers = {"content-type": FORM, "authorization": f"Bearer {officer()}"}
    assert (await house.post("/revoke", content=slow(), headers=headers)).status_code == 401
    assert [entry.subject for entry in await house.ledger.revocations(0, NOW)] == ["kai"]


async def test_a_revocation_outlasts_every_bearer_that_it_is_about(house):
    leeway = timedelta(minutes=5)  # the longest that a policy can say
    (issuer,) = house.policy.issuers
    house.verifier.replace(house.policy.model_copy(update={"issuers": [issuer.model_copy(update={"leeway": leeway})]}))
    starts = NOW + leeway.total_seconds()
    ends = starts + MAX_LIFETIME + leeway.total_seconds()
    text = bearer(iat=starts, exp=ends)
    assert (await house.taken_back(officer(), jti=claims(text)["jti"], issuer=IDP)).status_code == 200
    house.time = ends + leeway.total_seconds() - 1
    await house.look()
    assert await house.who(text) == Refused("revoked")
    assert house.time + SKEW < NOW + REMEMBER


async def test_a_subject_signs_in_again_after_the_cut(house):
    old = await house.issue(bearer())
    assert (await house.taken_back(officer(), subject="ada", issuer=IDP)).status_code == 200
    house.time += AHEAD + 10
    await house.look()
    assert await house.who(old) == Refused("revoked")
    # An issuer whose clock is ahead gave this one out before it was taken back.
    assert await house.who(bearer(iat=NOW + AHEAD, jti="ada-1")) == Refused("revoked")
    fresh = bearer(iat=NOW + AHEAD + 5, jti="ada-2")
    assert isinstance(await house.who(fresh), Subject)
    assert isinstance(await house.who(await house.issue(fresh)), Subject)


async def test_what_is_issued_elsewhere_before_the_word_gets_there_is_out_too(house, tmp_path, ledger):
    (tmp_path / "two").mkdir()
    other = House(tmp_path / "two", ledger, name="two")
    await other.look()
    theirs = bearer()
    assert (await house.taken_back(officer(), subject="ada", issuer=IDP)).status_code == 200
    other.time += 0.9
    late = await other.issue(theirs)  # it has not looked yet
    await house.look()
    await other.look()
    assert await other.who(late) == Refused("revoked")
    assert await house.who(late) == Refused("revoked")
    await other.verifier.close()


async def test_any_gateway_believes_what_another_one_issued(house, tmp_path, ledger):
    (tmp_path / "two").mkdir()
    other = House(tmp_path / "two", ledger, name="two")
    for each in (other, house):
        await each.look()
    assert (await other.who(await house.issue(bearer()))).id == "ada"
    await other.verifier.close()


@pytest.mark.parametrize("text", ["Quartermaine", "a.b.c", bearer(exp=NOW - 500, iat=NOW - 900)])
async def test_what_nobody_knows_needs_no_taking_back(text, house):
    # RFC 7009 section 2.2
    answer = await house.taken_back(officer(), token=text)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert house.records == []


BAD_REVOCATIONS = [
    ("nothing", {}, "invalid_request"),
    ("two things", {"jti": "a", "token": "b"}, "invalid_request"),
    ("a subject of an issuer that is not the policy's", {"subject": "ada", "issuer": f"{IDP}/"}, "invalid_request"),
    ("a text for a reason", {"jti": "a", "reason": "Jane Quartermaine"}, "invalid_request"),
]


@pytest.mark.parametrize(("sentence", "form", "error"), BAD_REVOCATIONS, ids=[case[0] for case in BAD_REVOCATIONS])
async def test_nothing_is_taken_back_for(sentence, form, error, house):
    answer = await house.post("/revoke", content=b"" if not form else None, form=form or None,
                              headers={"authorization": f"Bearer {officer()}", "content-type": FORM})  # fmt: skip
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert "Quartermaine" not in answer.text
    assert house.records == []


CALLERS = [
    ("nobody", {}, "invalid_request", "bearer-missing"),
    ("a bearer that is not believed", {"authorization": "Bearer a.b.c"}, "invalid_token", None),
    ("another scheme", {"authorization": "Basic YTpi"}, "invalid_token", "scheme-not-bearer"),
    ("two credentials", [("authorization", "Bearer a"), ("authorization", "Bearer b")], "invalid_token", None),
]


@pytest.mark.parametrize(("sentence", "headers", "error", "reason"), CALLERS, ids=[case[0] for case in CALLERS])
async def test_nothing_is_taken_back_by(sentence, headers, error, reason, house):
    answer = await house.post("/revoke", {"subject": "ada", "issuer": IDP}, headers)
    assert (answer.status_code, answer.json()["error"]) == (401, error)
    assert answer.headers["www-authenticate"].startswith('Bearer realm="phigate"')
    assert ('error="invalid_token"' in answer.headers["www-authenticate"]) == (error == "invalid_token")
    ((_, counted),) = house.counted
    assert reason in {None, counted}
    assert house.records == []


async def test_a_bearer_that_was_taken_back_takes_back_nobody(house):
    mine = officer()
    assert (await house.taken_back(mine, token=mine)).status_code == 200
    await house.look()
    assert (await house.taken_back(mine, subject="ada", issuer=IDP)).status_code == 401


async def test_what_is_taken_back_is_out_even_where_no_record_can_be_kept_and_the_caller_is_told_to_ask_again(house):
    own = await house.issue(bearer())
    house.broken = JournalDown("full")
    answer = await house.taken_back(own, token=own)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    await house.look()
    assert await house.who(own) == Refused("revoked")


# -- where the ledger does not answer -------------------------------------------------------------------------------


class Down:
    """A ledger that is gone."""

    async def spend(self, *_):
        raise LedgerDown("OperationalError")

    revoke = keys = spend


async def test_without_a_ledger_nothing_is_issued_for_an_assertion_and_nothing_is_taken_back(house):
    own = await house.issue(bearer())
    house.records.clear()
    house.ledger = Down()
    for answer in (
        await house.post("/token", ASSERTION | {"assertion": asserted()}),
        await house.taken_back(own, token=own),
        await house.get("/jwks.json"),
    ):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["error"] == "temporarily_unavailable"
    assert house.records == []


async def test_where_a_credential_cannot_be_settled_the_caller_is_told_to_ask_again(house, monkeypatch):
    async def unsettled(*_):
        return Unavailable(IDP, 7, "ledger-unavailable")

    for name in ("present", "verify"):
        monkeypatch.setattr(house, name, unsettled)
    for answer in (await house.exchange(bearer()), await house.taken_back(officer(), jti="x")):
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert house.counted == house.records == []


async def test_where_another_bearer_cannot_be_settled_it_is_not_said_to_be_taken_back(house, monkeypatch):
    async def unsettled(*_):
        return Unavailable(IDP, 7, "keys-unavailable")

    monkeypatch.setattr(house, "believe", unsettled)
    assert (await house.taken_back(officer(), token=bearer())).status_code == 503


# -- what is published ----------------------------------------------------------------------------------------------


async def test_the_keys_of_all_gateways_are_published_those_to_come_among_them(house, tmp_path, ledger):
    (tmp_path / "two").mkdir()
    other = House(tmp_path / "two", ledger, name="two")
    await other.look()
    answer = await house.get("/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    found = parse_jwks(answer.content)
    assert isinstance(found, KeySet)
    assert len(found.keys) == 4
    assert {house.keyring.active(NOW).kid, other.keyring.active(NOW).kid} < {key.kid for key in found.keys}
    await other.verifier.close()


async def test_the_server_describes_itself_by_its_own_addresses(house):
    answer = await house.get("/.well-known/oauth-authorization-server", host="evil.example")
    document = answer.json()
    assert document["issuer"] == CONSOLE
    assert document["token_endpoint"] == f"{CONSOLE}/token"
    assert document["revocation_endpoint"] == f"{CONSOLE}/revoke"
    assert document["jwks_uri"] == f"{CONSOLE}/jwks.json"
    assert document["grant_types_supported"] == [grants.EXCHANGE, grants.SAML_BEARER]
    assert document["token_endpoint_auth_methods_supported"] == ["none"]
    assert document["response_types_supported"] == []
    assert "EdDSA" in document["dpop_signing_alg_values_supported"]
    assert "action:chat" in document["scopes_supported"]
    assert "evil" not in answer.text


async def test_the_resource_describes_itself_by_its_own_addresses(house):
    answer = await house.get("/.well-known/oauth-protected-resource", host="evil.example")
    document = answer.json()
    assert document["resource"] == GATEWAY
    assert document["authorization_servers"] == [CONSOLE]
    assert document["bearer_methods_supported"] == ["header"]
    assert document["jwks_uri"] == f"{CONSOLE}/jwks.json"
    assert "evil" not in answer.text


# -- nothing of it shows --------------------------------------------------------------------------------------------


def contents(folder, names):
    return b"".join(path.read_bytes() for path in folder.glob(names))


async def test_no_credential_is_in_a_log_a_record_an_error_or_a_file(house, tmp_path, caplog):
    theirs, saml = bearer(), asserted()
    with caplog.at_level(logging.DEBUG):
        own = await house.issue(theirs)
        answers = [
            await house.post("/token", ASSERTION | {"assertion": saml}),
            await house.post("/token", ASSERTION | {"assertion": saml}),
            await house.exchange(theirs[:-4] + "AAAA"),
            await house.exchange(own, scope="openid"),
            await house.taken_back(own, token=theirs),
            await house.taken_back(officer(), token=own),
        ]
    assert [answer.status_code for answer in answers] == [200, 400, 400, 400, 403, 200]
    shown = caplog.text + json.dumps(house.records) + repr(house.counted) + "".join(each.text for each in answers[1:])
    written = contents(tmp_path, "ledger.db*")
    for secret in (theirs, own, theirs.rpartition(".")[2], own.rpartition(".")[2], saml, saml[200:260]):
        assert secret not in shown
        assert secret.encode() not in written
