from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from issuer import SampleIssuer
from phigate.identity import fetch
from phigate.identity.fetch import Fault, fetch_keys, new_client, trusted
from phigate.identity.jwks import KeySet
from tests.identity.forge import Rule, jwk_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ISSUER = "https://idp.example/realm"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
KEYS_URL = "https://keys.example/jwks"
JWKS = json.dumps({"keys": [jwk_of("ES256")]}).encode()
DOCUMENT = {"issuer": ISSUER, "jwks_uri": KEYS_URL}


async def fetched(answers: dict[str, httpx.Response], rule: Rule, folder: Path) -> KeySet | Fault:
    """Fetch from a network that has these answers and no others."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answers[str(request.url)]

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        found = await fetch_keys(rule, folder, lambda: client)
    assert asked == list(answers)
    return found


def ok(body: Any, status: int = 200, encoding: str = "identity") -> httpx.Response:
    """An answer whose bytes httpx has not read yet, as from a wire."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, stream=httpx.ByteStream(raw), headers={"content-encoding": encoding})


async def test_discovery_leads_to_the_keys(tmp_path: Path) -> None:
    found = await fetched({DISCOVERY: ok(DOCUMENT), KEYS_URL: ok(JWKS)}, Rule(issuer=ISSUER), tmp_path)
    assert isinstance(found, KeySet)
    assert [key.kid for key in found.keys] == ["ES256"]


async def test_an_issuer_that_ends_in_a_slash_is_asked_at_one_slash_and_named_with_it(tmp_path: Path) -> None:
    answers = {DISCOVERY: ok(DOCUMENT | {"issuer": ISSUER + "/"}), KEYS_URL: ok(JWKS)}
    assert isinstance(await fetched(answers, Rule(issuer=ISSUER + "/"), tmp_path), KeySet)


REDIRECT = httpx.Response(302, headers={"location": KEYS_URL})

BAD: list[tuple[str, str, Callable[[], dict[str, httpx.Response]]]] = [
    (
        "issuer with a slash more",
        "discovery-issuer-differs",
        lambda: {DISCOVERY: ok(DOCUMENT | {"issuer": ISSUER + "/"})},
    ),
    (
        "another issuer",
        "discovery-issuer-differs",
        lambda: {DISCOVERY: ok(DOCUMENT | {"issuer": "https://evil.example"})},
    ),
    ("issuer missing", "discovery-issuer-differs", lambda: {DISCOVERY: ok({"jwks_uri": KEYS_URL})}),
    ("no jwks_uri", "discovery-without-jwks-uri", lambda: {DISCOVERY: ok({"issuer": ISSUER})}),
    ("jwks_uri a list", "discovery-without-jwks-uri", lambda: {DISCOVERY: ok(DOCUMENT | {"jwks_uri": [KEYS_URL]})}),
    ("jwks_uri plain", "address-not-trusted", lambda: {DISCOVERY: ok(DOCUMENT | {"jwks_uri": "http://keys.example"})}),
    ("jwks_uri in here", "address-not-trusted", lambda: {DISCOVERY: ok(DOCUMENT | {"jwks_uri": "http://127.0.0.1/"})}),
    ("jwks_uri a file", "address-not-trusted", lambda: {DISCOVERY: ok(DOCUMENT | {"jwks_uri": "file:///etc/passwd"})}),
    (
        "jwks_uri with a password",
        "address-not-trusted",
        lambda: {DISCOVERY: ok(DOCUMENT | {"jwks_uri": "https://a:b@keys.example"})},
    ),
    ("discovery a page", "discovery-not-json", lambda: {DISCOVERY: ok(b"<html>")}),
    ("discovery says issuer twice", "discovery-not-json", lambda: {DISCOVERY: ok(b'{"issuer":"a","issuer":"b"}')}),
    ("discovery redirects", "redirected", lambda: {DISCOVERY: REDIRECT}),
    ("discovery is missing", "status-not-200", lambda: {DISCOVERY: httpx.Response(404)}),
    ("keys redirect", "redirected", lambda: {DISCOVERY: ok(DOCUMENT), KEYS_URL: REDIRECT}),
    ("keys are partial", "status-not-200", lambda: {DISCOVERY: ok(DOCUMENT), KEYS_URL: ok(JWKS, 206)}),
    ("keys are a page", "jwks-not-json", lambda: {DISCOVERY: ok(DOCUMENT), KEYS_URL: ok(b"<html>")}),
    ("keys of another shape", "jwks-shape", lambda: {DISCOVERY: ok(DOCUMENT), KEYS_URL: ok({"key": []})}),
    ("65 keys", "jwks-too-many-keys", lambda: {DISCOVERY: ok(DOCUMENT), KEYS_URL: ok({"keys": [{}] * 65})}),
    ("keys over 1 MB", "too-large", lambda: {DISCOVERY: ok(DOCUMENT), KEYS_URL: ok(b" " * (2**20 + 1))}),
    (
        "keys compressed, unasked",
        "encoded",
        lambda: {DISCOVERY: ok(DOCUMENT), KEYS_URL: ok(gzip.compress(JWKS), encoding="gzip")},
    ),
]


@pytest.mark.parametrize(("why", "answers"), [pytest.param(w, a, id=name) for name, w, a in BAD])
async def test_what_is_not_plainly_the_issuers_keys_is_a_fault(
    why: str, answers: Callable[[], dict[str, httpx.Response]], tmp_path: Path
) -> None:
    assert await fetched(answers(), Rule(issuer=ISSUER), tmp_path) == Fault(why)  # type: ignore[arg-type]  # from the table


async def test_an_address_of_keys_needs_no_discovery(tmp_path: Path) -> None:
    assert isinstance(await fetched({KEYS_URL: ok(JWKS)}, Rule(keys=KEYS_URL), tmp_path), KeySet)


async def test_a_file_of_keys_is_found_from_the_policys_folder(tmp_path: Path) -> None:
    (tmp_path / "clinical.jwks.json").write_bytes(JWKS)
    assert isinstance(await fetched({}, Rule(keys="file:clinical.jwks.json"), tmp_path), KeySet)
    assert await fetched({}, Rule(keys="file:missing.json"), tmp_path) == Fault("file-unreadable")
    assert await fetched({}, Rule(keys="file:."), tmp_path) == Fault("file-unreadable")
    (tmp_path / "large.json").write_bytes(b" " * (2**20 + 1))
    assert await fetched({}, Rule(keys="file:large.json"), tmp_path) == Fault("too-large")


async def test_an_issuer_that_never_ends_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("the fetch waited")

    monkeypatch.setattr(fetch, "SECONDS", 0.05)
    async with httpx.AsyncClient(transport=httpx.MockTransport(drip)) as client:
        assert await fetch_keys(Rule(issuer=ISSUER), tmp_path, lambda: client) == Fault("timed-out")


async def test_a_port_where_nobody_listens_is_a_fault(tmp_path: Path) -> None:
    with SampleIssuer() as issuer:
        gone = issuer.url
    async with new_client() as client:
        assert await fetch_keys(Rule(issuer=gone), tmp_path, lambda: client) == Fault("unreachable")


async def test_the_environments_proxy_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with SampleIssuer() as issuer:
        async with new_client() as client:
            assert isinstance(await fetch_keys(Rule(issuer=issuer.url), tmp_path, lambda: client), KeySet)


@pytest.mark.parametrize(
    "url",
    [
        "https://idp.example/jwks",
        "https://10.0.0.1:8443/",
        "http://127.0.0.1:9000/",
        "http://localhost/",
        "http://[::1]:1/",
    ],
)
def test_keys_may_come_over_tls_or_from_this_machine(url: str) -> None:
    assert trusted(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/",
        "http://10.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://user@127.0.0.1/",
        "https://user:pw@idp.example/",
        "https://idp.example/#keys",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "https://",
        "https://[::1",
        "",
    ],
)
def test_keys_come_from_nowhere_else(url: str) -> None:
    assert not trusted(url)
