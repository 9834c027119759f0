from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from phigate.identity.bearer import Credential, check, extract, extract_from
from phigate.identity.outcome import Believed, KeysNeeded, Refused
from tests.identity import forge
from tests.identity.forge import NOW, OTHER, RULE, Rule, claims, header, jwk_of, mint, published, settle

if TYPE_CHECKING:
    from phigate.identity.jwks import KeySet


def test_what_is_believed_is_what_was_said() -> None:
    assert settle(mint()) == Believed(
        forge.ISSUER, "dr.okafor", ("ward-staff",), NOW + 600, NOW - 10, "j-1", {}, claims()
    )


def test_an_algorithm_off_the_issuers_list_is_refused_though_the_key_could() -> None:
    assert settle(mint(alg="PS256"), Rule(algorithms=("RS256",))) == Refused("alg-not-allowed")


def test_without_a_kid_the_only_key_is_meant() -> None:
    alone = forge.keyset(jwk_of("rsa"))
    assert isinstance(settle(mint(head=header(kid=None)), keys=alone), Believed)
    assert settle(mint(alg="ES256", head=header("ES256", kid=None)), keys=alone) == Refused("key-mismatch")


def test_a_key_for_another_algorithm_of_its_kind_is_not_used() -> None:
    keys = forge.keyset(jwk_of("rsa", alg="RS512"))
    assert settle(mint(), keys=keys) == Refused("key-mismatch")
    assert isinstance(settle(mint(alg="RS512"), keys=keys), Believed)


@pytest.mark.parametrize("kid", ["new", "../../etc/passwd", "rsa' or 1=1 --", "https://evil.example/key"])
def test_an_unknown_kid_asks_for_keys_and_never_for_another_address(kid: str) -> None:
    assert settle(mint(head=header(kid=kid))) == KeysNeeded(forge.ISSUER, kid)


def test_keys_are_asked_for_when_there_are_none_of_this_issuer() -> None:
    assert check(mint(), (RULE,), {OTHER.issuer: published()}, NOW) == KeysNeeded(forge.ISSUER, "rsa")


def test_the_keys_of_two_issuers_are_never_merged() -> None:
    crossed = mint(claims(iss=OTHER.issuer, aud="research-gateway"))
    assert settle(crossed) == KeysNeeded(OTHER.issuer, "rsa")


def test_an_issuer_that_stands_twice_in_the_policy_is_believed_by_neither_rule() -> None:
    twice = (RULE, replace(RULE, audience=("research",)))
    assert check(mint(), twice, {RULE.issuer: published()}, NOW) == Refused("issuer-ambiguous")


def test_without_issuers_nothing_is_believed() -> None:
    assert check(mint(), (), {RULE.issuer: published()}, NOW) == Refused("issuer-unknown")


def test_a_fault_of_our_own_refuses() -> None:
    class Broken:
        def get(self, _: str) -> KeySet:
            raise RecursionError

    assert check(mint(), (RULE,), Broken(), NOW) == Refused("check-broke")  # type: ignore[arg-type]  # broken on purpose


PLAIN, BOUND = Credential("a.b.c", "bearer"), Credential("a.b.c", "dpop")

EXTRACTED: list[tuple[str, list[str], list[str], Credential | Refused]] = [
    ("the usual header", ["Bearer a.b.c"], [], PLAIN),
    ("the scheme in any case", ["bEARER a.b.c"], [], PLAIN),
    ("several spaces", ["Bearer   a.b.c"], [], PLAIN),
    ("the client's own header", [], ["a.b.c"], PLAIN),
    ("dpop (RFC 9449 section 7.1)", ["DPoP a.b.c"], [], BOUND),
    ("dpop in any case", ["dpop a.b.c"], [], BOUND),
    ("a scheme in the client's own header", [], ["DPoP a.b.c"], Credential("DPoP a.b.c", "bearer")),
    ("nothing", [], [], Refused("bearer-missing")),
    ("scheme only", ["Bearer"], [], Refused("bearer-missing")),
    ("scheme and a space", ["Bearer "], [], Refused("bearer-missing")),
    ("dpop only", ["DPoP"], [], Refused("bearer-missing")),
    ("own header empty", [], [""], Refused("bearer-missing")),
    ("two Authorization headers", ["Bearer a", "Bearer a"], [], Refused("two-credentials")),
    ("one of each scheme (RFC 9449 section 7.2)", ["Bearer a", "DPoP a"], [], Refused("two-credentials")),
    ("one of each", ["Bearer a"], ["a"], Refused("two-credentials")),
    ("dpop and the own header", ["DPoP a"], ["a"], Refused("two-credentials")),
    ("own header twice", [], ["a", "a"], Refused("two-credentials")),
    ("basic", ["Basic YTpi"], [], Refused("scheme-not-bearer")),
    ("a longer name", ["DPoPs a.b.c"], [], Refused("scheme-not-bearer")),
    ("no scheme", ["a.b.c"], [], Refused("scheme-not-bearer")),
    ("a letter that is a k when lowered", ["\u212a a.b.c"], [], Refused("malformed")),
    ("empty", [""], [], Refused("malformed")),
    ("a tab between", ["Bearer\ta.b.c"], [], Refused("malformed")),
    ("a space in front", [" Bearer a.b.c"], [], Refused("malformed")),
    ("a line break", ["Bearer a.b.c\n"], [], Refused("malformed")),
    ("too long", ["Bearer " + "a" * 20_000], [], Refused("too-large")),
    ("too long, dpop", ["DPoP " + "a" * 20_000], [], Refused("too-large")),
]


@pytest.mark.parametrize(
    ("authorization", "own", "found"), [pytest.param(a, o, f, id=name) for name, a, o, f in EXTRACTED]
)
def test_exactly_one_credential_is_taken(authorization: list[str], own: list[str], found: Credential | Refused) -> None:
    assert extract(authorization, own) == found


def test_two_bearers_merged_into_one_header_are_not_believed() -> None:
    merged = extract([f"Bearer {mint()}, Bearer {mint()}"])
    assert isinstance(merged, Credential)
    assert isinstance(settle(merged.bearer), Refused)


def test_a_credential_is_not_shown_by_its_repr() -> None:
    assert repr(PLAIN) == "Credential(scheme='bearer')"


def test_header_names_have_no_case_and_only_the_clients_own_one_counts() -> None:
    fields = [(b"Host", b"x"), (b"AUTHORIZATION", b"Bearer a.b.c"), (b"X-Api-Key", b"k")]
    assert extract_from(fields) == PLAIN
    assert extract_from(fields, "x-api-key") == Refused("two-credentials")
    assert extract_from(fields[2:], "x-api-key") == Credential("k", "bearer")
    assert extract_from(fields[2:], "api-key") == Refused("bearer-missing")
