"""Forms that ask for a bearer or give one up: every abuse of a parameter, and what may be granted."""

import base64
import re
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.exchange import Scope, Subject
from phigate.identity import grants
from phigate.identity.grants import GrantFault, RevocationRequest, TokenRequest
from phigate.identity.own import MAX_FAMILY

GATEWAY = "https://ai.example"
EXCHANGE = {
    "grant_type": grants.EXCHANGE,
    "subject_token": "aaa.bbb.ccc",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}
ASSERTED = {"grant_type": grants.SAML_BEARER, "assertion": "PHNhbWw-"}
SECRET = "Quartermaine"


def read(raw):
    form = grants.read_form(raw.encode() if isinstance(raw, str) else raw)
    return form if isinstance(form, GrantFault) else grants.read_token_request(form, GATEWAY)


def asked(base=None, **changes):
    form = {name: value for name, value in ((base or EXCHANGE) | changes).items() if value is not None}
    return read(urlencode(form, doseq=True))


def limits(models="", actions=""):
    return Scope(frozenset(models.split()), frozenset(actions.split()))


# -- the form -------------------------------------------------------------------------------------------------------

FORMS = [
    ("names and values", b"a=1&b=2", {"a": ("1",), "b": ("2",)}),
    ("a plus and escapes", b"a=one+two%20three%2B", {"a": ("one two three+",)}),
    ("letters beyond ASCII, escaped", b"a=%C3%A4", {"a": ("ä",)}),
    ("an equals sign in the value", b"a=b=c", {"a": ("b=c",)}),
    ("a parameter without value, which is left out", b"a=&b=2&c", {"b": ("2",)}),
    ("separators too many", b"&&a=1&&", {"a": ("1",)}),
    ("nothing", b"", {}),
    ("several targets", b"resource=x&resource=y", {"resource": ("x", "y")}),
    ("the same name twice", b"a=1&a=2", "parameter-repeated"),
    ("the same name twice, escaped", b"a=1&%61=2", "parameter-repeated"),
    ("the same name twice, once without value", b"a=1&a=", "parameter-repeated"),
    ("a value without name", b"=1", "request-malformed"),
    ("half an escape", b"a=%4", "request-malformed"),
    ("no escape at all", b"a=%zz", "request-malformed"),
    ("bytes that are not UTF-8", b"a=%ff", "request-malformed"),
    ("half a character, the wrong way (CESU)", b"a=%ed%a0%80", "request-malformed"),
    ("raw bytes beyond ASCII", b"a=\xc3\xa4", "request-malformed"),
    ("a NUL", b"a=%00", "request-malformed"),
    ("a line's end", b"a=b%0d%0a", "request-malformed"),
    ("a raw line's end", b"a=b\r\n", "request-malformed"),
    ("an invisible letter", b"a=%e2%80%8b", "request-malformed"),
    ("JSON", b'{"a":"1"}\n', "request-malformed"),
    ("a name too long", b"a" * 65 + b"=1", "request-malformed"),
    ("too many parameters", b"&".join(b"a%d=1" % number for number in range(33)), "request-malformed"),
    ("far too many", b"a&" * 100_000, "request-malformed"),
    ("too much", b"a=" + b"b" * grants.MAX_FORM, "too-large"),
]


@pytest.mark.parametrize(("sentence", "raw", "expected"), FORMS, ids=[case[0] for case in FORMS])
def test_a_form_of(sentence, raw, expected):
    found = grants.read_form(raw)
    assert (found.reason if isinstance(found, GrantFault) else found) == expected


@given(st.binary(max_size=300))
def test_no_form_raises(raw):
    assert isinstance(grants.read_form(raw), dict | GrantFault)


@given(st.dictionaries(st.text("abcdef", min_size=1), st.text(st.characters(categories=["L", "N", "P"])), max_size=9))
def test_what_a_client_writes_is_read(form):
    assert grants.read_form(urlencode(form).encode()) == {name: (value,) for name, value in form.items() if value}


# -- a bearer is asked for ------------------------------------------------------------------------------------------

JWT = "urn:ietf:params:oauth:token-type:jwt"
SAML2 = "urn:ietf:params:oauth:token-type:saml2"
PLAIN = TokenRequest("token-exchange", "bearer", "aaa.bbb.ccc")
HONEST = [
    ("no more than is needed", {}, PLAIN),
    ("a bearer that is called a JWT", {"subject_token_type": JWT}, PLAIN),
    ("an assertion", {"subject_token_type": SAML2}, replace(PLAIN, kind="assertion")),
    ("the kind of bearer we issue", {"requested_token_type": EXCHANGE["subject_token_type"]}, PLAIN),
    ("a bearer for us, twice over", {"resource": GATEWAY, "audience": GATEWAY}, PLAIN),
    ("a bearer for us, said several times", {"resource": [GATEWAY, f"{GATEWAY}/"]}, PLAIN),
    ("a scope", {"scope": "model:ward action:chat"}, replace(PLAIN, scope=limits("ward", "chat"))),
    ("so many seconds", {"lifetime": "300"}, replace(PLAIN, lifetime=300.0)),
    ("so many minutes", {"lifetime": "PT5M"}, replace(PLAIN, lifetime=300.0)),
    ("hours, minutes and seconds", {"lifetime": "PT1H2M3S"}, replace(PLAIN, lifetime=3723.0)),
    ("days, which will be cut", {"lifetime": "P2D"}, replace(PLAIN, lifetime=172800.0)),
    ("one use", {"uses": "1"}, replace(PLAIN, uses=1)),
    ("what nobody knows", {"client_id": "app", "foo": "bar"}, PLAIN),
    ("parameters without value", {"scope": "", "lifetime": "", "uses": "", "actor_token": ""}, PLAIN),
]


@pytest.mark.parametrize(("sentence", "changes", "expected"), HONEST, ids=[case[0] for case in HONEST])
def test_a_client_may_ask_for(sentence, changes, expected):
    assert asked(**changes) == expected


def test_an_assertion_is_asked_with_as_its_own_grant():
    assert asked(ASSERTED, scope="action:chat") == TokenRequest(
        "saml2-bearer", "assertion", "PHNhbWw-", limits("", "chat")
    )


LONG = "a" * 20_000
ABUSES = [
    ("no grant type", {"grant_type": None}, "invalid_request", "parameter-missing"),
    ("an empty grant type", {"grant_type": ""}, "invalid_request", "parameter-missing"),
    ("a password", {"grant_type": "password"}, "unsupported_grant_type", "grant-type-unsupported"),
    ("a code", {"grant_type": "authorization_code"}, "unsupported_grant_type", "grant-type-unsupported"),
    ("the client's own name", {"grant_type": "client_credentials"}, "unsupported_grant_type", "grant-type-unsupported"),
    ("a JWT grant", {"grant_type": grants.EXCHANGE[:-14] + "jwt-bearer"}, "unsupported_grant_type", None),
    ("the grant type in capitals", {"grant_type": grants.EXCHANGE.upper()}, "unsupported_grant_type", None),
    ("the grant type with a blank", {"grant_type": grants.EXCHANGE + " "}, "unsupported_grant_type", None),
    ("the grant type twice", {"grant_type": [grants.EXCHANGE] * 2}, "invalid_request", "parameter-repeated"),
    ("no subject token", {"subject_token": None}, "invalid_request", "parameter-missing"),
    ("an empty subject token", {"subject_token": ""}, "invalid_request", "parameter-missing"),
    ("two subject tokens", {"subject_token": ["a.b.c", "d.e.f"]}, "invalid_request", "parameter-repeated"),
    ("a subject token too long", {"subject_token": LONG}, "invalid_request", "parameter-invalid"),
    ("a subject token with a line's end", {"subject_token": "a.b.c\n"}, "invalid_request", "request-malformed"),
    ("no type of subject token", {"subject_token_type": None}, "invalid_request", "parameter-missing"),
    *(
        (f"a subject token of type {kind}", {"subject_token_type": kind}, "invalid_request", "parameter-invalid")
        for kind in (
            "access_token",
            "urn:ietf:params:oauth:token-type:id_token",
            "urn:ietf:params:oauth:token-type:refresh_token",
            "urn:ietf:params:oauth:token-type:saml1",
            "urn:ietf:params:oauth:token-type:ACCESS_TOKEN",
            f"{SAML2}x",
        )
    ),
    ("an actor", {"actor_token": "a.b.c", "actor_token_type": JWT}, "invalid_request", "actor-unsupported"),
    ("an actor's type alone", {"actor_token_type": JWT}, "invalid_request", "actor-unsupported"),
    ("an ID token", {"requested_token_type": JWT[:-3] + "id_token"}, "invalid_request", "parameter-invalid"),
    ("a refresh token", {"requested_token_type": JWT[:-3] + "refresh_token"}, "invalid_request", "parameter-invalid"),
    ("a bearer for somebody else", {"resource": "https://evil.example"}, "invalid_target", "target-invalid"),
    ("an audience that is somebody else", {"audience": "backend"}, "invalid_target", "target-invalid"),
    ("a bearer for us and somebody else", {"resource": [GATEWAY, "https://b.example"]}, "invalid_target", None),
    ("a bearer for us here, for others there", {"resource": GATEWAY, "audience": "b"}, "invalid_target", None),
    ("a part of us", {"resource": f"{GATEWAY}/v1"}, "invalid_target", "target-invalid"),
    ("somebody whose name begins like ours", {"resource": f"{GATEWAY}.evil.example"}, "invalid_target", None),
    ("us in capitals", {"resource": GATEWAY.upper()}, "invalid_target", "target-invalid"),
    ("a scope of OpenID", {"scope": "openid profile"}, "invalid_scope", "scope-invalid"),
    ("a scope of one good word and one unknown", {"scope": "action:chat admin"}, "invalid_scope", "scope-invalid"),
    ("every action", {"scope": "action:*"}, "invalid_scope", "scope-invalid"),
    ("a scope that is a blank", {"scope": " "}, "invalid_scope", "scope-invalid"),
    ("a scope too long", {"scope": " ".join(["model:" + "a" * 100] * 50)}, "invalid_scope", "scope-invalid"),
    ("two scopes", {"scope": ["action:chat", "action:embed"]}, "invalid_request", "parameter-repeated"),
    *(
        (f"a lifetime of {text!r}", {"lifetime": text}, "invalid_request", "parameter-invalid")
        for text in ("0", "PT0S", "-1", "+60", "1e3", "60.5", "NaN", "inf", "P", "PT", "P1Y", "P1M", "P1W", "PT5", "5M")
    ),
    *(
        (f"a lifetime of {text!r}", {"lifetime": text}, "invalid_request", "parameter-invalid")
        for text in ("pt5m", "PT1.5M", "P-1D", " 60", "60 ", "٣٠", "0x10", "9" * 10, "9" * 5000, "P1DT", "PT1S1M")
    ),
    *(
        (f"{text!r} uses", {"uses": text}, "invalid_request", "parameter-invalid")
        for text in ("0", "2", "-1", "01", "1.0", "true", " 1", "١")
    ),
    ("uses twice", {"uses": ["1", "1"]}, "invalid_request", "parameter-repeated"),
]


@pytest.mark.parametrize(("sentence", "changes", "error", "reason"), ABUSES, ids=[case[0] for case in ABUSES])
def test_a_client_gets_nothing_for(sentence, changes, error, reason):
    found = asked(**changes)
    assert isinstance(found, GrantFault)
    assert found.error == error
    assert found.status == 400
    assert reason is None or found.reason == reason


ASSERTION_ABUSES = [
    ("no assertion", {"assertion": None}, "parameter-missing"),
    ("a subject token in its place", {"assertion": None, "subject_token": "a.b.c"}, "parameter-missing"),
    ("two assertions", {"assertion": ["PHNhbWw-", "PHNhbWw-"]}, "parameter-repeated"),
]


@pytest.mark.parametrize(
    ("sentence", "changes", "reason"), ASSERTION_ABUSES, ids=[case[0] for case in ASSERTION_ABUSES]
)
def test_an_assertions_grant_gets_nothing_for(sentence, changes, reason):
    assert asked(ASSERTED, **changes).reason == reason


@pytest.mark.parametrize("name", sorted({*EXCHANGE, "scope", "lifetime", "uses", "resource", "actor_token"}))
def test_no_fault_says_what_was_sent(name):
    found = asked(**{name: SECRET})
    if isinstance(found, GrantFault):
        assert SECRET not in repr(found)
    else:
        assert name == "subject_token"


def test_no_credential_shows_where_a_request_is_shown():
    assert "aaa.bbb.ccc" not in repr(asked())
    assert SECRET not in repr(grants.read_revocation({"token": (SECRET,)}))


def test_a_large_assertion_fits():
    big = base64.urlsafe_b64encode(b"x" * 120_000).decode()
    assert asked(ASSERTED, assertion=big).credential == big


@given(st.text(max_size=30))
def test_a_lifetime_is_whole_seconds_or_a_fault(text):
    found = asked(lifetime=text or "0")
    plain = re.fullmatch(r"[0-9]{1,9}|P[0-9DTHMS]+", text, re.ASCII)
    assert isinstance(found, GrantFault) or (plain and found.lifetime >= 1)


# -- what may be granted --------------------------------------------------------------------------------------------

ADA = Subject(
    "https://idp.example", "ada", ("ward",), frozenset(), 2000.0, "b-1", 900.0, signed_by="https://idp.example"
)
MINE = replace(ADA, jti="g-1", signed_by="https://console.example", scope=limits("a b"), family=((ADA.issuer, "b-1"),))

GRANTED = [
    ("everything, where nothing is limited", ADA, PLAIN, None),
    ("a part of everything", ADA, replace(PLAIN, scope=limits("a")), limits("a")),
    ("what they have, where they ask for nothing else", MINE, PLAIN, limits("a b")),
    ("a part of what they have", MINE, replace(PLAIN, scope=limits("a")), limits("a")),
    ("a part of what they have, for one action", MINE, replace(PLAIN, scope=limits("a", "chat")), limits("a", "chat")),
]


@pytest.mark.parametrize(("sentence", "subject", "request_", "scope"), GRANTED, ids=[case[0] for case in GRANTED])
def test_a_subject_gets(sentence, subject, request_, scope):
    assert grants.settle(request_, subject, 900).scope == scope


DENIED = [
    ("another model", MINE, replace(PLAIN, scope=limits("c")), "invalid_scope", "scope-exceeded"),
    ("one model more", MINE, replace(PLAIN, scope=limits("a b c")), "invalid_scope", "scope-exceeded"),
    ("an action on any model", MINE, replace(PLAIN, scope=limits("", "chat")), "invalid_scope", "scope-exceeded"),
    ("revoking", MINE, replace(PLAIN, scope=limits("a", "revoke")), "invalid_scope", "scope-exceeded"),
    ("another bearer for one for a single use", replace(ADA, uses=1), PLAIN, "invalid_request", "one-shot"),
    (
        "anything for a bearer that was exchanged too often",
        replace(MINE, family=(("i", "j"),) * MAX_FAMILY),
        PLAIN,
        "invalid_request",
        "family-too-long",
    ),
]


@pytest.mark.parametrize(
    ("sentence", "subject", "request_", "error", "reason"), DENIED, ids=[case[0] for case in DENIED]
)
def test_a_subject_does_not_get(sentence, subject, request_, error, reason):
    found = grants.settle(request_, subject, 900)
    assert isinstance(found, GrantFault)
    assert (found.error, found.reason) == (error, reason)


def test_a_lifetime_is_cut_to_the_longest_there_is():
    assert grants.settle(replace(PLAIN, lifetime=1e9), ADA, 900).lifetime == 900
    assert grants.settle(replace(PLAIN, lifetime=60.0), ADA, 900).lifetime == 60
    assert grants.settle(PLAIN, ADA, 900).lifetime == 900


def test_a_bearer_knows_all_that_it_descends_from():
    assert grants.settle(PLAIN, ADA, 900).family == ((ADA.issuer, "b-1"),)
    assert grants.settle(PLAIN, MINE, 900).family == ((ADA.issuer, "b-1"), ("https://console.example", "g-1"))
    assert grants.settle(PLAIN, replace(ADA, jti=None), 900).family == ()


def test_a_key_that_was_proven_binds_what_comes_of_it():
    bound = (("jkt", "A" * 43),)
    assert grants.settle(PLAIN, replace(ADA, bound=bound), 900).bound == bound


@pytest.mark.parametrize(("base", "error"), [(EXCHANGE, "invalid_request"), (ASSERTED, "invalid_grant")])
def test_what_is_not_believed_has_the_error_of_its_grant(base, error):
    # RFC 8693 section 2.2.2, RFC 7522 section 3.1
    assert asked(base).refused == error


# -- something is taken back ----------------------------------------------------------------------------------------

IDP = ADA.issuer
REVOKED = [
    ("a bearer", {"token": "a.b.c"}, RevocationRequest(bearer="a.b.c")),
    (
        "a bearer, with a hint",
        {"token": "a.b.c", "token_type_hint": "refresh_token"},
        RevocationRequest(bearer="a.b.c"),
    ),
    ("a bearer of ours by its id", {"jti": "g-1"}, RevocationRequest(jti="g-1")),
    ("a bearer of others by its id", {"jti": "b-1", "issuer": IDP}, RevocationRequest(jti="b-1", issuer=IDP)),
    ("a subject", {"subject": "ada", "issuer": IDP}, RevocationRequest(subject="ada", issuer=IDP)),
    ("with a reason", {"jti": "g", "reason": "left-42"}, RevocationRequest(jti="g", reason="left-42")),
    ("nothing", {}, "parameter-missing"),
    ("a hint alone", {"token_type_hint": "access_token"}, "parameter-missing"),
    ("a subject of nobody", {"subject": "ada"}, "parameter-missing"),
    ("an issuer alone", {"issuer": IDP}, "parameter-missing"),
    ("a bearer and an id", {"token": "a.b.c", "jti": "g-1"}, "request-malformed"),
    ("an id and a subject", {"jti": "g-1", "subject": "ada", "issuer": IDP}, "request-malformed"),
    ("two subjects", {"subject": ["ada", "bob"], "issuer": IDP}, "parameter-repeated"),
    ("a bearer with an issuer", {"token": "a.b.c", "issuer": IDP}, "parameter-invalid"),
    ("an id too long", {"jti": "g" * 256}, "parameter-invalid"),
    ("a subject with a blank around", {"subject": " ada", "issuer": IDP}, "parameter-invalid"),
    ("an issuer too long", {"jti": "g", "issuer": "https://" + "i" * 1024}, "parameter-invalid"),
    ("a reason in words", {"jti": "g", "reason": "Jane Doe left"}, "parameter-invalid"),
    ("a reason too long", {"jti": "g", "reason": "a" * 65}, "parameter-invalid"),
    ("a reason that begins with a dash", {"jti": "g", "reason": "-a"}, "parameter-invalid"),
]


@pytest.mark.parametrize(("sentence", "form", "expected"), REVOKED, ids=[case[0] for case in REVOKED])
def test_a_revocation_of(sentence, form, expected):
    sent = grants.read_form(urlencode(form, doseq=True, quote_via=quote).encode())
    found = sent if isinstance(sent, GrantFault) else grants.read_revocation(sent)
    assert (found.reason if isinstance(found, GrantFault) else found) == expected
