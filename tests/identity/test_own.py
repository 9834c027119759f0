"""What a bearer of the gateways' own says beyond what every bearer says."""

import pytest

from phigate.exchange import Scope
from phigate.identity.outcome import Believed, Refused
from phigate.identity.own import Own, Speaks, read

IDP, SAML = "https://idp.example", "urn:idp:saml"
CONSOLE = "https://console.example"
NAMES = frozenset({IDP, SAML})


def saying(*, jti="one", **claims):
    said = {"idp": IDP, "origin_iat": 90.5} | claims
    return Believed(CONSOLE, "ada", ("ward",), 1000.0, 100.0, jti, claims=said)


def speaks(issuer=IDP, scope=None, uses=None, issued=90.5, family=(), context=()):
    return Speaks(issuer, scope, uses, issued, family, context)


CASES = [
    ("nothing more", saying(), speaks()),
    ("an identity provider of the other kind", saying(idp=SAML), speaks(SAML)),
    (
        "a scope",
        saying(scope="model:ward action:chat"),
        speaks(scope=Scope(frozenset({"ward"}), frozenset({"chat"}))),
    ),
    ("one use", saying(uses=1), speaks(uses=1)),
    ("an issuer that left the policy", saying(idp="https://old.example"), Refused("issuer-unknown")),
    ("no issuer", saying(idp=None), Refused("issuer-unknown")),
    ("an issuer that is a list", saying(idp=[IDP]), Refused("issuer-unknown")),
    ("no id", saying(jti=None), Refused("jti-invalid")),
    ("a scope in words of nobody", saying(scope="everything"), Refused("scope-invalid")),
    ("a scope that is a list", saying(scope=["model:ward"]), Refused("scope-invalid")),
    ("two uses", saying(uses=2), Refused("uses-invalid")),
    ("no uses", saying(uses=0), Refused("uses-invalid")),
    ("a use that is true", saying(uses=True), Refused("uses-invalid")),
    ("uses in words", saying(uses="1"), Refused("uses-invalid")),
    ("what it comes from", saying(family=[[IDP, "a"]]), speaks(family=((IDP, "a"),))),
    (
        "its occasion",
        saying(context={"pipeline": "7", "commit": "9f"}),
        speaks(context=(("commit", "9f"), ("pipeline", "7"))),
    ),
    ("an occasion that is a list", saying(context=["9f"]), Refused("context-invalid")),
    ("an occasion of numbers", saying(context={"pipeline": 7}), Refused("context-invalid")),
    ("no date of what it comes from", saying(origin_iat=None), Refused("iat-invalid")),
    ("a date that is true", saying(origin_iat=True), Refused("iat-invalid")),
    ("a date after its own", saying(origin_iat=100.5), Refused("iat-invalid")),
    ("a family that is none", saying(family="a"), Refused("jti-invalid")),
    ("a family of texts", saying(family=["ab"]), Refused("jti-invalid")),
    ("a family of numbers", saying(family=[[1, 2]]), Refused("jti-invalid")),
    ("a family of threes", saying(family=[[IDP, "a", "b"]]), Refused("jti-invalid")),
    ("a family without end", saying(family=[[IDP, "a"]] * 9), Refused("jti-invalid")),
]


@pytest.mark.parametrize(("sentence", "believed", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_bearer_says(sentence, believed, expected):
    assert read(believed, NAMES) == expected


def test_the_gateways_rule_is_theirs_alone():
    rule = Own(CONSOLE, ("https://ai.example",))
    assert rule.algorithms == ("EdDSA",)
    assert rule.required_claims == {}
    assert rule.proof == "as-bound"
