"""The section about signing in to the console's page."""

import pytest

from tests import policies

HERE = "issuer: https://idp.example, client_id: console"


def section(more="", start=HERE):
    return policies.text(tail=f"sign_in: {{{start}{more}}}\n")


def test_a_section_that_says_the_least():
    made = policies.policy(tail=f"sign_in: {{{HERE}}}\n").sign_in
    assert (made.issuer, made.client_id, made.credential) == ("https://idp.example", "console", None)
    assert (made.scopes, made.resource) == (("openid",), None)


def test_without_it_nobody_signs_in():
    assert policies.policy().sign_in is None


def test_a_section_that_says_all():
    more = ", credential: 'env:SECRET', scopes: [openid, groups, 'api://phigate/.default'], resource: 'urn:phigate'"
    made = policies.policy(tail=f"sign_in: {{{HERE}{more}}}\n").sign_in
    assert (made.credential, made.scopes[2], made.resource) == ("env:SECRET", "api://phigate/.default", "urn:phigate")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (section(", credential: hunter2"), "must be `env:NAME`"),
        (section(", scopes: [groups]"), "needs `openid`: without it nobody is told who signed in"),
        (section(", scopes: [openid, 'a b']"), "is not a scope"),
        (section(", scopes: [openid, openid]"), "stands twice"),
        (section(start="issuer: https://other.example, client_id: console"), "`https://other.example` is none of"),
        (section(start="issuer: http://other.example, client_id: console"), "sign_in.issuer"),
        (section(start="issuer: https://idp.example"), "sign_in.client_id: is missing"),
        (section(", secret: hunter2"), "unknown key `secret`"),
    ],
)
def test_what_it_cannot_say(text, sentence):
    assert any(sentence in fault for fault in policies.faults(text)), policies.faults(text)


@pytest.mark.parametrize("issuer", ["[a]", "{a: b}", "''"])
def test_no_shape_of_it_is_an_exception(issuer):
    assert policies.faults(section(start=f"issuer: {issuer}, client_id: console"))
    assert policies.faults(policies.text(tail=f"sign_in: {issuer}\n"))
