"""What arrives at the console: who asks for a bearer, buttons of Slack, cookies, forms; and the secrets of webhooks."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from urllib.parse import urlencode

import httpx
import orjson

from phigate.approval import blocks
from phigate.approval.refusals import No
from phigate.console import signin
from phigate.console.page.guard import one_line, read_fields
from phigate.console.sealed import NONCE, Sealed
from phigate.console.signin import Begun
from phigate.console.slack import REPLIES, _Pressed, _pressed
from phigate.exchange import Scope, Subject
from phigate.identity import grants
from phigate.identity import scope as scopes
from phigate.identity.grants import GrantFault, Terms, TokenRequest
from phigate.telling.signatures import LEAST, MOST, from_slack, headers, keys_of
from tests.fuzzing.target import Target, edited, hold

# -- POST /token and /revoke ----------------------------------------------------------------------------------------

GATEWAY = "https://gateway.example"
BEFORE = Scope(frozenset({"ward-assistant"}), frozenset({"chat", "complete"}))


def token(data: bytes) -> None:
    form = grants.read_form(data)
    if isinstance(form, GrantFault):
        _unquoted(form, data)
        return
    hold(all(values and all(values) for name, values in form.items() if values), "a parameter without a value")
    for asked in (grants.read_token_request(form, GATEWAY), grants.read_revocation(form)):
        if isinstance(asked, GrantFault):
            _unquoted(asked, data)
        elif isinstance(asked, TokenRequest):
            if asked.scope is not None:
                hold(scopes.read(scopes.written(asked.scope)) == asked.scope, "a scope that is written otherwise")
            _narrower(asked)


def _narrower(asked: TokenRequest) -> None:
    """What is given is never more than what it is given for."""
    for before in (None, BEFORE):
        subject = Subject("https://idp.example", "x", (), frozenset(), 2e9, scope=before)
        terms = grants.settle(asked, subject, 900.0)
        if isinstance(terms, Terms):
            hold(0 < terms.lifetime <= 900, "longer than the policy lets anybody have it")
            hold(before is None or (terms.scope and scopes.within(terms.scope, before)), "wider than it was")


def _unquoted(fault: GrantFault, data: bytes) -> None:
    hold(400 <= fault.status < 500 and fault.reason and fault.message, "a fault that says nothing")
    hold(len(data) < 16 or data.decode("latin-1") not in fault.message, "a fault that repeats what was sent")


def grants_asked() -> list[bytes]:
    kind = {"grant_type": grants.EXCHANGE, "subject_token_type": grants.ACCESS_TOKEN, "subject_token": "a.b.c"}
    more = {"scope": "action:chat model:ward-assistant", "lifetime": "PT5M", "uses": "1", "resource": GATEWAY}
    saml = {"grant_type": grants.SAML_BEARER, "assertion": "PHNhbWw", "lifetime": "60"}
    back = [{"token": "a.b.c", "reason": "left"}, {"subject": "ada", "issuer": "https://idp.example"}, {"jti": "j-1"}]
    forms = [kind, kind | more, saml, *back, kind | {"audience": "elsewhere"}, kind | {"actor_token": "x"}]
    return [urlencode(form).encode() for form in forms] + [b"a=b&a=c&&=d&e", b"resource=a&resource=b&x=%ff"]


# -- Slack ----------------------------------------------------------------------------------------------------------

TEAM = "T0HOSPITAL"


def slack(data: bytes) -> None:
    """0: what stands in the payload; 1: a whole form; else a stamp, a signature and a body, in lines."""
    mode, rest = data[:1], data[1:]
    if mode not in {b"0", b"1"}:
        stamp, signature, body = (*rest.split(b"\n", 2), b"", b"")[:3]
        hold(
            not from_slack("secret", stamp.decode("latin-1"), signature.decode("latin-1"), body, 1.8e9),
            "signed by nobody",
        )
        return
    raw = urlencode({"payload": rest}).encode() if mode == b"0" else rest
    try:
        found = _pressed(raw, TEAM)
    except No as no:
        hold(no.reason in {"malformed", "signature-refused"}, "a reason that nobody knows")
        return
    if isinstance(found, _Pressed):
        hold(found.action in {blocks.APPROVE, blocks.REJECT}, "a button that nobody made")
        hold(found.reply is None or httpx.URL(found.reply).host in REPLIES, "told to somebody else")
    else:
        hold(found is None, "neither pressed nor not")


def pressed() -> list[bytes]:
    said = {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": "U1", "team_id": TEAM},
        "actions": [{"action_id": blocks.APPROVE, "value": "tk-1"}],
        "response_url": "https://hooks.slack.com/actions/1",
    }
    payload = orjson.dumps(said)
    stamp = b"v0=" + b"0" * 64
    return [
        b"0" + payload,
        b"1" + urlencode({"payload": payload}).encode(),
        b"21800000000\n" + stamp + b"\nbody",
        b"1a=b&payload=%7B%7D",
    ]


def secrets(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        keys = keys_of(text)
    except ValueError as fault:
        hold(len(text) < 12 or text not in str(fault), "a fault that repeats the secret")
        return
    hold(keys and all(LEAST <= len(key) <= MOST for key in keys), "a secret that is too short")
    made = headers(keys, "id", 1, b"body")
    hold(made["webhook-signature"].count("v1,") == len(keys), "a key that does not sign")


@cache
def _seal() -> Sealed:
    return Sealed((lambda *words: blake2b("\0".join(words).encode(), digest_size=32).digest(),))


@cache
def _kept() -> tuple[str, bytes]:
    """A sign-in under way, as a browser keeps it, and what it holds."""
    text = Begun("s", "n", "v", "https://idp.example", "phigate", "/tickets", 1.8e9).written()
    return _seal().close("phi-begun", text, bytes(NONCE)), text


def cookies(data: bytes) -> None:
    """0: a cookie as it comes; 1: one that was changed; else a form, a place, and an answer of the provider's."""
    mode, rest = data[:1], data[1:]
    closed, text = _kept()
    if mode in {b"0", b"1"}:
        said = rest.decode("latin-1") if mode == b"0" else edited(closed.encode(), rest).decode("latin-1")
        opened = _seal().open("phi-begun", said)
        hold(opened is None or (said, opened) == (closed, text), "opened though nobody closed it")
        hold(_seal().open("phi-session", said) is None, "opened under another name")
        return
    form = read_fields(rest)
    place = signin.place_of(rest.decode("latin-1"))
    hold(place.startswith("/") and not place.startswith("//"), "a place elsewhere")
    hold("\n" not in one_line(rest.decode("utf-8", "replace")), "more than a line")
    for value in (form or {}).values():
        signin.cookie_of(value)


def kept() -> list[bytes]:
    forms = (b"csrf=abc&comment=all+well%0A", b"/tickets/tk-1", b"//elsewhere", b"/tickets?state=pending")
    return [b"0" + _kept()[0].encode(), b"1\0\0\0\0", b"1\0\x08\x05a", *(b"2" + each for each in forms)]


TOKEN = Target(
    token,
    grants_asked,
    (
        *(
            b"grant_type=",
            b"subject_token=",
            b"subject_token_type=",
            b"assertion=",
            b"scope=",
            b"action%3Achat",
            b"model%3A",
        ),
        *(
            b"lifetime=",
            b"PT1S",
            b"P1D",
            b"uses=1",
            b"resource=",
            b"audience=",
            b"jti=",
            b"subject=",
            b"issuer=",
            b"token=",
        ),
        *(
            b"reason=",
            b"&",
            b"+",
            b"%20",
            b"%00",
            b"%c3%28",
            b"urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt",
            b"unmask",
        ),
    ),
)
SLACK = Target(
    slack,
    pressed,
    (
        *(
            b"payload=",
            b"&",
            b'"type":"block_actions"',
            b'"actions":',
            b'"action_id":',
            b'"team":',
            b'"user":',
            b'"response_url":',
        ),
        *(b"https://hooks.slack.com/", b"https://hooks.slack.com@", b"%00", b"%ud800", b"null", b"[]", b"v0=", b"\n"),
    ),
)
SECRETS = Target(
    secrets,
    lambda: [b"whsec_" + b"A" * 32, b"whsec_" + b"A" * 32 + b" whsec_" + b"B" * 44, b"whsec_===="],
    (b"whsec_", b"=", b" ", b"AAAA"),
    512,
)
COOKIES = Target(cookies, kept, (b"/tickets", b"%2f", b"..", b"\\", b"&", b"=", b"+", b"csrf=", b"comment="), 512)
