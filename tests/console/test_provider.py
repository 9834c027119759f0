"""The issuer that people sign in at, as a transport that answers as told."""

import base64
import json
import logging

import httpx
import pytest

from phigate.console.provider import Provider
from phigate.console.signin import Endpoints
from phigate.policy.sign_in import SignIn

ISSUER = "https://idp.example"
SAID = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "authorization_response_iss_parameter_supported": True,
}
WHERE = Endpoints(f"{ISSUER}/authorize", f"{ISSUER}/token", says_who=True)
PUBLIC = SignIn(issuer=ISSUER, client_id="console")
SECRET = PUBLIC.model_copy(update={"credential": "env:SECRET", "client_id": "con sole"})
TOKENS = {"access_token": "a", "id_token": "b", "token_type": "Bearer"}


def reply(status=200, content=b"", json_=None, **headers):
    """As it comes from a wire: its body has not been read."""
    body = content if json_ is None else json.dumps(json_).encode()
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


class Issuer:
    """Answers as `document` and `given` say, or raises them."""

    def __init__(self, document=None, given=None):
        self.document = SAID if document is None else document
        self.given = TOKENS if given is None else given
        self.asked = []
        self.now = 0.0

    async def __call__(self, request):
        self.asked.append(request)
        said = self.given if request.url.path == "/token" else self.document
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, httpx.Response) else reply(json_=said)

    def provider(self, **environ):
        client = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return Provider(client=lambda: client, clock=lambda: self.now, environ=environ)


async def test_an_issuer_says_where_it_takes_people_and_is_asked_once_in_ten_minutes():
    issuer = Issuer()
    provider = issuer.provider()
    assert [await provider.endpoints(ISSUER) for _ in range(3)] == [WHERE] * 3
    assert len(issuer.asked) == 1
    issuer.now = 601.0
    await provider.endpoints(ISSUER)
    assert len(issuer.asked) == 2
    await provider.close()


@pytest.mark.parametrize(
    "document",
    [
        {},
        SAID | {"issuer": "https://other.example"},
        SAID | {"authorization_endpoint": "http://idp.example/authorize"},
        SAID | {"authorization_endpoint": "http://127.0.0.1/authorize"},
        SAID | {"authorization_endpoint": "javascript:alert(1)"},
        SAID | {"token_endpoint": "https://user@idp.example/token"},
        SAID | {"token_endpoint": 7},
        reply(302, location="https://other.example"),
        reply(200, content=b"[" * 100_000),
        httpx.ConnectError("down"),
    ],
)
async def test_what_cannot_be_used_is_not_and_is_asked_for_again_after_five_seconds(document):
    issuer = Issuer(document)
    provider = issuer.provider()
    assert await provider.endpoints(ISSUER) is None
    assert await provider.endpoints(ISSUER) is None
    assert len(issuer.asked) == 1
    issuer.document, issuer.now = SAID, 6.0
    assert await provider.endpoints(ISSUER) == WHERE


async def test_a_code_is_redeemed_by_a_public_client_and_by_one_with_a_secret():
    issuer = Issuer()
    assert await issuer.provider().redeem(PUBLIC, WHERE, {"code": "c&d"}) == TOKENS
    assert await issuer.provider(SECRET="s:1").redeem(SECRET, WHERE, {"code": "c"}) == TOKENS
    public, secret = issuer.asked
    assert public.content == b"code=c%26d"
    assert "authorization" not in public.headers
    assert base64.b64decode(secret.headers["authorization"].removeprefix("Basic ")) == b"con+sole:s%3A1"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (reply(400, json_={"error": "invalid_grant"}), "code-refused"),
        (reply(401, content=b"no"), "code-refused"),
        (reply(503), "provider-down"),
        (reply(302, location="https://other.example"), "provider-down"),
        (httpx.ConnectError("down"), "provider-down"),
        (httpx.ReadTimeout("slow"), "provider-down"),
        (reply(200, content=b"access_token=a"), "token-malformed"),
        (reply(200, content=b'{"a":1,"a":2}'), "token-malformed"),
        (reply(200, content=b" " * 200_000), "token-malformed"),
    ],
)
async def test_why_a_code_gives_nothing(given, reason):
    assert await Issuer(given=given).provider().redeem(PUBLIC, WHERE, {"code": "c"}) == reason


async def test_without_its_secret_the_console_asks_nobody():
    issuer = Issuer()
    assert await issuer.provider().redeem(SECRET, WHERE, {"code": "c"}) == "unavailable"
    assert issuer.asked == []


async def test_what_an_issuer_writes_is_not_repeated(caplog):
    caplog.set_level(logging.DEBUG)
    for error in ("invalid_client", "Jane Roe", ["invalid_client"]):
        given = reply(400, content=json.dumps({"error": error, "error_description": "Jane Roe"}).encode())
        await Issuer(given=given).provider().redeem(PUBLIC, WHERE, {"code": "c0de"})
    said = [record.getMessage() for record in caplog.records if record.name == "phigate.console.provider"]
    assert said == ["sign-in: the token endpoint says invalid_client", *["sign-in: the token endpoint says no"] * 2]
