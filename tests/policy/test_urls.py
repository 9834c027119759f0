from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from phigate.policy import urls

GOOD_ISSUERS = [
    "https://idp.example",
    "https://idp.example:8443/realms/clinical",
    "http://127.0.0.1:8091",
    "http://localhost:8091/",
    "http://[::1]:8091",
]
BAD_ISSUERS = [
    "http://idp.example",
    "http://127.0.0.1.example",
    "http://localhost.example",
    "http://0.0.0.0",
    "http://10.0.0.1",
    "https://",
    "https://idp.example?x=1",
    "https://idp.example#x",
    "https://user@idp.example",
    "https://idp.example:0",
    "https://idp.example:99999",
    "https://idp.example:",
    "https://idp .example",
    "https://idp\\.example",
    "HTTPS://idp.example",
    "ftp://idp.example",
    "//idp.example",
    "idp.example",
    "https://[::1",
    "https://idp.exämple",
]


@pytest.mark.parametrize("url", GOOD_ISSUERS)
def test_an_issuer_is_https_or_on_this_machine(url: str) -> None:
    assert urls.issuer(url) == url


@pytest.mark.parametrize("url", BAD_ISSUERS)
def test_any_other_issuer_is_refused(url: str) -> None:
    with pytest.raises(PydanticCustomError):
        urls.issuer(url)


@pytest.mark.parametrize(
    "value", ["discover", "file:certs/a.json", "https://idp.example/jwks?x=1", "http://[::1]/jwks"]
)
def test_keys_come_from_somewhere_trusted(value: str) -> None:
    assert urls.keys(value) == value


@pytest.mark.parametrize("value", ["", "file:", "certs/a.json", "http://idp.example/jwks", "data:x", "https://u:p@idp"])
def test_keys_from_elsewhere_are_refused(value: str) -> None:
    with pytest.raises(PydanticCustomError):
        urls.keys(value)


@pytest.mark.parametrize("url", ["http://10.0.4.10:11434", "https://models.example", "http://[fd00::1]:8000"])
def test_an_upstream_is_scheme_host_and_port(url: str) -> None:
    assert urls.upstream(url) == url


@pytest.mark.parametrize(
    "url", ["http://h:1/", "http://h:1/v1", "http://h?x", "http://h#x", "http://u:p@h", "h:1", "tcp://h:1"]
)
def test_an_upstream_is_nothing_more(url: str) -> None:
    with pytest.raises(PydanticCustomError):
        urls.upstream(url)


@pytest.mark.parametrize("value", ["sk-very-secret", "env:hunter 2", "env:1A", "env:A-B", "file:x"])
def test_a_credential_is_named_and_never_repeated(value: str) -> None:
    assert urls.credential("env:WARD_KEY") == "env:WARD_KEY"
    with pytest.raises(PydanticCustomError) as refused:
        urls.credential(value)
    assert value not in str(refused.value)


@pytest.mark.parametrize("url", ["grpc://10.0.4.10:8001", "grpcs://triton.hospital.example:443", "grpc://[::1]:8001"])
def test_a_server_for_grpc_is_named_with_its_port(url: str) -> None:
    assert urls.grpc(url) == url


@pytest.mark.parametrize(
    "url", ["", "grpc://triton", "http://triton:8001", "grpc://u@triton:1", "grpc://triton:1/x", "grpc://triton:0"]
)
def test_anything_else_is_no_server_for_grpc(url: str) -> None:
    with pytest.raises(PydanticCustomError):
        urls.grpc(url)
