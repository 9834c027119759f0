from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

from phigate.identity import explain
from phigate.identity.bearer import check
from phigate.identity.claims import from_introspection
from phigate.identity.explain import LATER, OF_A_JWS, OF_AN_OPAQUE_ONE, STEPS
from phigate.identity.outcome import KeysNeeded, Reason, Refused, Unavailable
from tests import policies
from tests.identity import forge
from tests.identity.forge import NOW, claims, header, jwk_of, keyset, mint, private_key, published

if TYPE_CHECKING:
    from phigate.identity.explain import Explained, Step
    from phigate.identity.jwks import KeySet
    from phigate.policy.schema import Policy

RULES = (
    "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean}",
    "{name: blind, permit: [researcher], to: [chat], models: ['*'], mask: lean}",
    "{name: lists, permit: ['*'], to: [list-models], models: ['*']}",
    "{name: no-bulk, deny: ['*'], to: [chat], when: {prompt_matches: ['all patients']}}",
)
IN_REQUESTS = {"bearer-missing", "two-credentials", "scheme-not-bearer", "scope-invalid", "uses-invalid", "revoked"}
"""Reasons that a bearer by itself, of an issuer of the policy, cannot have; nor those of a proof."""


def policy_of(**changes: str) -> Policy:
    """One issuer, its entry of the policy changed or added to."""
    entry = {"issuer": forge.ISSUER, "audience": "phigate", "algorithms": "[RS256, ES256]", "keys": "discover"}
    entry |= {"groups_from": "groups", "leeway": "PT0S"} | changes
    listed = "".join(f"{'  - ' if not at else '    '}{key}: {value}\n" for at, (key, value) in enumerate(entry.items()))
    text = policies.text(*RULES).replace(policies.ISSUERS, f"issuers:\n{listed}")
    return policies.parse_policy(text.encode(), "policy.yaml", policies.Path())


def told(bearer: str, policy: Policy | None = None, keys: KeySet | None = None) -> Explained:
    """What is told of a bearer, its verdict being that of the real check."""
    policy, keys = policy or policy_of(), keys or published()
    outcome = check(bearer, policy.issuers, {forge.ISSUER: keys}, NOW)
    if isinstance(outcome, KeysNeeded):
        outcome = Refused("kid-unknown")
    return explain.explain(bearer, policy, outcome, NOW, keys=keys)


def step(explained: Explained, name: str) -> Step:
    (found,) = [each for each in explained.steps if each.name == name]
    return found


def states(explained: Explained) -> list[str]:
    return [each.state for each in explained.steps]


@pytest.mark.parametrize("reason", get_args(Reason.__value__))
def test_every_reason_that_a_bearer_can_have_has_its_one_step(reason: str) -> None:
    steps = [name for name, reasons in STEPS.items() if reason in reasons]
    outside = reason in IN_REQUESTS or reason.startswith("proof-")
    assert len(steps) == (0 if outside else 1)


def test_a_believed_bearer_passes_every_step() -> None:
    explained = told(mint())
    assert [each.name for each in explained.steps] == [*OF_A_JWS, *LATER]
    assert states(explained) == ["ok"] * len(OF_A_JWS) + ["with each request"] * 2
    assert explained.state == "ok"
    assert all(each.said for each in explained.steps)


def test_it_says_what_decided_in_the_policys_words() -> None:
    explained = told(mint())
    said = {each.name: each.said for each in explained.steps}
    assert said["issuer"] == f"`issuers[0]` of the policy: {forge.ISSUER}"
    assert said["header"] == "RS256 is one of `RS256`, `ES256`"
    assert said["key"] == "found by its id among 5 usable keys"
    assert said["audience"] == "`aud` names one of `phigate`"
    assert said["dates"] == "issued 0:00:10 ago, ends in 0:10:00"
    assert said["groups"] == "1 group in `groups`"
    assert said["proof"] == "none is needed"


def test_roles_come_with_the_groups_that_gave_them_and_those_that_gave_none() -> None:
    explained = told(mint(claims(groups=["ward", "choir", "lab"])))
    assert [(held.role, held.groups) for held in explained.roles] == [
        ("clinician", ("ward",)),
        ("researcher", ("lab",)),
    ]
    assert explained.idle == ("choir",)
    assert [rule.name for rule in explained.rules] == ["care", "blind", "lists", "no-bulk"]


def test_without_a_role_only_what_denies_everybody_speaks_of_them() -> None:
    explained = told(mint(claims(groups=None)))
    assert step(explained, "groups").said == "none: the bearer has no `groups`"
    assert (explained.state, explained.roles, [rule.name for rule in explained.rules]) == ("ok", (), ["no-bulk"])


REFUSED = [
    ("no JWS", "a.b", "form", "malformed", ""),
    (
        "another issuer",
        mint(claims(iss="https://evil.example")),
        "issuer",
        "issuer-unknown",
        f"they are `{forge.ISSUER}`",
    ),
    ("a slash too many", mint(claims(iss=forge.ISSUER + "/")), "issuer", "issuer-unknown", "only by a `/` at the end"),
    (
        "a gateway token",
        mint(claims(iss="https://console.example", idp=forge.ISSUER, origin_iat=NOW)),
        "issuer",
        "issuer-unknown",
        "it looks like a gateway token",
    ),
    ("another algorithm", mint(alg="PS256"), "header", "alg-not-allowed", "the policy takes `RS256`, `ES256`"),
    ("no algorithm", mint(head={}), "header", "alg-missing", ""),
    ("a strange key", mint(head=header(kid="new")), "key", "kid-unknown", "of usable ones it publishes 5"),
    ("a key of no name", mint(head=header(kid=None)), "key", "kid-missing", "it publishes 5"),
    ("a forged one", mint(key=private_key("rsa-other")), "signature", "signature-invalid", ""),
    ("an ID token", mint(claims(at_hash="x")), "kind", "id-token", "it opens nothing"),
    ("a binding of no kind", mint(claims(cnf={"kid": "k"})), "binding", "cnf-invalid", ""),
    ("somebody else's", mint(claims(aud="billing")), "audience", "aud-mismatch", "the policy wants `phigate` in `aud`"),
    ("a past one", mint(claims(iat=NOW - 900, exp=NOW - 75)), "dates", "expired", "0:01:15 ago"),
    ("nobody's", mint(claims(sub=None)), "subject", "sub-missing", ""),
    ("a strange id", mint(claims(jti=7)), "id", "jti-invalid", ""),
    ("groups as a text", mint(claims(groups="ward")), "groups", "groups-invalid", "`groups_as` is `list`"),
]


@pytest.mark.parametrize(("sentence", "bearer", "name", "reason", "hint"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_refused_bearer_stops_at_one_step(sentence: str, bearer: str, name: str, reason: str, hint: str) -> None:
    explained = told(bearer)
    at = OF_A_JWS.index(name)
    assert states(explained) == ["ok"] * at + ["refused"] + ["not reached"] * (len(explained.steps) - at - 1)
    assert step(explained, name).reason == reason
    assert hint in step(explained, name).said
    assert (explained.state, explained.roles, explained.rules) == ("refused", (), ())


def test_a_claim_that_the_policy_requires_is_named_and_its_value_is_not() -> None:
    explained = told(mint(claims(tenant="Quartermaine")), policy_of(required_claims="{tenant: ours}"))
    assert step(explained, "required").reason == "claim-mismatch"
    assert "the policy names `tenant`" in step(explained, "required").said


def test_keys_that_were_left_out_are_told_where_they_may_be_the_cause() -> None:
    explained = told(mint(), keys=keyset(jwk_of("rsa-1024", kid="rsa"), jwk_of("ES256")))
    assert step(explained, "key").said.endswith("of usable ones it publishes 1, left out: 1 weak")


def test_what_cannot_be_settled_is_neither_believed_nor_refused() -> None:
    explained = explain.explain(mint(), policy_of(), Unavailable(forge.ISSUER, 1), NOW)
    assert (explained.state, step(explained, "key").state) == ("unsettled", "unsettled")
    assert step(explained, "key").said == "the issuer's keys cannot be had"
    assert step(explained, "signature").state == "not reached"


JKT = "A" * 43
PROOFS = [
    ("DPoP", "as-bound", {"jkt": JKT}, "needs a DPoP proof (RFC 9449)"),
    ("mutual TLS", "mtls", {"x5t#S256": JKT}, "needs its TLS client certificate (RFC 8705)"),
    ("nothing", "as-bound", None, "none is needed"),
]


@pytest.mark.parametrize(("sentence", "wanted", "cnf", "said"), PROOFS, ids=[row[0] for row in PROOFS])
def test_what_a_request_has_to_prove_is_told(sentence: str, wanted: str, cnf: dict[str, str] | None, said: str) -> None:
    explained = told(mint(claims(cnf=cnf)), policy_of(proof=wanted))
    assert said in step(explained, "proof").said
    assert ("bound to a key" in step(explained, "binding").said) is (cnf is not None)


def test_what_nobody_could_prove_is_refused_here_already() -> None:
    explained = told(mint(), policy_of(proof="dpop"))
    assert (explained.state, step(explained, "proof").reason, explained.roles) == ("refused", "proof-missing", ())
    assert step(explained, "groups").state == "ok"
    other = told(mint(claims(cnf={"x5t#S256": JKT})), policy_of(proof="dpop"))
    assert step(other, "proof").reason == "proof-missing"


# -- opaque bearers -------------------------------------------------------------------------------------------------

OPAQUE = "an-opaque-bearer-of-some-length"
ASKED = "{url: 'https://idp.hospital.example/introspect', client_id: gw, credential: 'env:X'}"


def answered(**changes: Any) -> Explained:
    policy = policy_of(introspect=ASKED)
    (rule,) = policy.issuers
    outcome = from_introspection({"active": True} | claims(groups=["ward"]) | changes, rule, NOW)
    return explain.explain(OPAQUE, policy, outcome, NOW, asked=rule)


def test_an_opaque_bearer_has_no_signature_to_look_at() -> None:
    explained = answered()
    assert [each.name for each in explained.steps] == [*OF_AN_OPAQUE_ONE, *LATER]
    assert explained.state == "ok"
    assert step(explained, "form").said == "opaque: only its issuer can read it"
    assert step(explained, "dates").said == "issued 0:00:10 ago, ends in 0:10:00"
    assert [held.role for held in explained.roles] == ["clinician"]


def test_an_opaque_bearer_that_is_refused_stops_at_its_step() -> None:
    inactive, nobody = answered(active=False), answered(sub=7)
    assert step(inactive, "asked").reason == "inactive"
    assert step(nobody, "subject").reason == "sub-invalid"
    assert (step(nobody, "dates").state, step(nobody, "dates").said) == ("ok", "")


def test_an_issuer_that_cannot_be_asked_settles_nothing() -> None:
    policy = policy_of(introspect=ASKED)
    outcome = Unavailable(forge.ISSUER, 1, "introspection-unavailable")
    explained = explain.explain(OPAQUE, policy, outcome, NOW, asked=policy.issuers[0])
    assert (explained.state, step(explained, "asked").state) == ("unsettled", "unsettled")


# -- nothing of the bearer ------------------------------------------------------------------------------------------


SECRETIVE = {
    "subject": mint(claims(sub="Quartermaine", tenant="Quartermaine")),
    "audience": mint(claims(aud="Quartermaine")),
    "issuer": mint(claims(iss="Quartermaine")),
    "groups": mint(claims(groups=["Quartermaine\n"])),
    "key id": mint(head=header(kid="Quartermaine")),
}


@pytest.mark.parametrize("bearer", SECRETIVE.values(), ids=SECRETIVE)
def test_no_value_of_a_claim_is_in_a_sentence(bearer: str) -> None:
    assert "Quartermaine" not in json.dumps([each.said for each in told(bearer).steps])


def test_a_verdict_of_ours_that_broke_is_told_as_one() -> None:
    explained = explain.explain(mint(), policy_of(), Refused("check-broke"), NOW, keys=published())
    assert step(explained, "form").reason == "check-broke"
