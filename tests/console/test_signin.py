"""The code flow, step by step: what is asked, and what may come back."""

from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest

from phigate.console.signin import (
    SENTENCES,
    Back,
    Begun,
    Endpoints,
    NotBack,
    authorization,
    back,
    code_form,
    cookie_of,
    place_of,
    read_begun,
    tokens_of,
)
from phigate.identity.strict import to_base64url
from phigate.policy.sign_in import SignIn

SIGN_IN = SignIn(issuer="https://idp.example", client_id="console")
BEGUN = Begun("st4te", "n0nce", "verif1er", "https://idp.example", "console", "/desk/tickets/t-1", 100.0)
WHERE = Endpoints("https://idp.example/authorize?tenant=a", "https://idp.example/token")
HERE = "https://console.example/desk/callback"
GOOD = {"state": "st4te", "code": "c0de"}


def came(answer, begun=BEGUN, sign_in=SIGN_IN, *, says_who=False, now=50.0):
    return back(answer, begun, sign_in, says_who=says_who, now=now)


def test_what_is_asked_of_the_issuer():
    url = urlsplit(authorization(BEGUN, WHERE, SIGN_IN, HERE))
    assert (url.scheme, url.netloc, url.path) == ("https", "idp.example", "/authorize")
    assert parse_qs(url.query) == {
        "tenant": ["a"],
        "response_type": ["code"],
        "client_id": ["console"],
        "redirect_uri": [HERE],
        "scope": ["openid"],
        "state": ["st4te"],
        "nonce": ["n0nce"],
        "code_challenge": [to_base64url(sha256(b"verif1er").digest())],
        "code_challenge_method": ["S256"],
    }
    assert "verif1er" not in url.query


def test_scopes_and_resource_are_asked_for_where_the_policy_says_so():
    wide = SIGN_IN.model_copy(update={"scopes": ("openid", "groups"), "resource": "urn:phigate"})
    asked = parse_qs(urlsplit(authorization(BEGUN, WHERE, wide, HERE)).query)
    assert (asked["scope"], asked["resource"]) == (["openid groups"], ["urn:phigate"])
    assert code_form(Back(BEGUN, "c0de"), wide, HERE)["resource"] == "urn:phigate"


def test_a_code_that_comes_back_where_it_was_asked_for():
    assert came(GOOD) == Back(BEGUN, "c0de")
    assert came(GOOD | {"iss": "https://idp.example", "session_state": "x"}, says_who=True) == Back(BEGUN, "c0de")


NOT_BACK = [
    ("not-begun", GOOD, {"begun": None}),
    ("not-begun", GOOD | {"state": "another"}, {}),
    ("not-begun", {"code": "c0de"}, {}),
    ("not-begun", {"error": "access_denied"}, {}),
    ("not-begun", GOOD, {"now": 100.0}),
    ("begun-elsewhere", GOOD, {"sign_in": SIGN_IN.model_copy(update={"client_id": "other"})}),
    ("begun-elsewhere", GOOD, {"sign_in": SIGN_IN.model_copy(update={"issuer": "https://other.example"})}),
    ("answer-by-another", GOOD | {"iss": "https://other.example"}, {}),
    ("answer-by-another", GOOD, {"says_who": True}),
    ("answer-by-another", {"state": "st4te", "error": "access_denied"}, {"says_who": True}),
    ("declined", {"state": "st4te", "error": "access_denied"}, {}),
    ("provider-down", {"state": "st4te", "error": "temporarily_unavailable"}, {}),
    ("provider-refused", {"state": "st4te", "error": "login_required", "code": "c0de"}, {}),
    ("answer-malformed", {"state": "st4te"}, {}),
    ("answer-malformed", {"state": "st4te", "code": "c\u00f6de"}, {}),
]


@pytest.mark.parametrize(("reason", "answer", "how"), NOT_BACK)
def test_what_may_come_back_instead(reason, answer, how):
    found = came(answer, **how)
    assert isinstance(found, NotBack)
    assert found.reason == reason
    assert reason in SENTENCES


def test_people_come_back_to_where_they_were_where_that_is_known():
    assert came(GOOD | {"state": "another"}).place == "/desk"
    assert came({"state": "st4te", "error": "access_denied"}).place == "/desk/tickets/t-1"


@pytest.mark.parametrize("place", ["/desk", "/desk/tickets/t-0a", "/desk/reviews/ex-1"])
def test_places_of_the_page(place):
    assert place_of(place) == place


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/desk/../x",
        "/desk/tickets/t-1\n",
        "/desk/tickets/t-1?x=1",
        "/desk/callback",
        "/desk@evil.example",
        "/desk/tickets/" + "a" * 65,
    ],
)
def test_nobody_is_sent_anywhere_else(said):
    assert place_of(said) == "/desk"


def test_a_public_client_names_itself_and_another_does_not():
    assert code_form(Back(BEGUN, "c0de"), SIGN_IN, HERE) == {
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": HERE,
        "code_verifier": "verif1er",
        "client_id": "console",
    }
    secret = SIGN_IN.model_copy(update={"credential": "env:SECRET"})
    assert "client_id" not in code_form(Back(BEGUN, "c0de"), secret, HERE)


def test_what_the_browser_keeps_is_read_again():
    assert read_begun(BEGUN.written()) == BEGUN
    assert read_begun(None) is None
    assert cookie_of("a") != cookie_of("b")
    assert "st4te" not in cookie_of("st4te") + repr(BEGUN) + repr(Back(BEGUN, "c0de"))
    assert replace(BEGUN, until=1.0) != BEGUN


GIVEN = {"access_token": "a.b.c", "id_token": "d.e.f", "token_type": "Bearer"}


def test_the_answer_of_the_token_endpoint():
    assert tokens_of(GIVEN) == ("a.b.c", "d.e.f")


@pytest.mark.parametrize(
    "wrong", [{"access_token": ""}, {"id_token": None}, {"token_type": "DPoP"}, {"token_type": 1}, {"access_token": []}]
)
def test_an_answer_that_is_none(wrong):
    assert tokens_of(GIVEN | wrong) is None
