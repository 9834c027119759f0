"""A gateway that seals originals: the auditor gets them back, and nobody who looks on sees any of them."""

import json

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from model_server import Answer
from people import policy_for
from phigate.audit import bodies
from phigate.audit.sealed import unseal
from phigate.capture.seal import text_of
from tests.live.test_observers import everything, watched
from tests.traffic import CANARY_TEXT, CHAT, chat, completion, events, leaks, records

pytestmark = pytest.mark.live
__all__ = ["watched"]

PRIVATE = X25519PrivateKey.from_private_bytes(b"auditor of the live tests 012345")


@pytest.fixture
def policy(issuer, tmp_path):
    (tmp_path / "policy").mkdir()
    path = policy_for(issuer.url, tmp_path / "policy")
    text = path.read_text()
    assert "  bodies: masked " in text
    path.write_text(text.replace("  bodies: masked ", f"  bodies: sealed\n  seal_to: {text_of(PRIVATE.public_key())} "))
    return path


def originals(folder, exchange):
    return [(one.kind, one.data) for one in unseal.unsealed(unseal.records(folder, exchange), PRIVATE)]


def test_the_auditor_gets_both_sides_back_and_nobody_else_does(watched, bearers, model):
    gateway, api, folder = watched
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}", "content-type": "application/json"}
    large = chat(CANARY_TEXT + " The ward is quiet." * 20_000)
    sent = [json.dumps(each).encode() for each in (chat(CANARY_TEXT), chat(CANARY_TEXT, stream=True), large)]
    streamed = b"".join(events())
    model.script = lambda asked: Answer.events(events()) if asked.json().get("stream") else Answer(completion())
    with httpx.Client(base_url=gateway.url, headers=headers, trust_env=False, timeout=30) as client:
        told = [client.post(CHAT, content=each) for each in sent]
    assert [each.status_code for each in told] == [200] * 3
    exchanges = [each.headers["phi-exchange"] for each in told]
    for exchange, asked, answered in zip(exchanges, sent, (completion(), streamed, completion()), strict=True):
        assert originals(gateway.journal, exchange) == [("request", asked), ("response", answered)]
    kept = records(gateway.journal)
    body = bodies.joined([each for each in kept if each.get("exchange") == exchanges[2]], "caller")
    assert (body.whole, body.value["messages"][0]["content"].count("The ward is quiet.")) == (True, 20_000)
    seen = everything(api)
    assert b"[US_SSN]" in seen
    gateway.stop()
    sealed = [each["sealed"][40:80].encode() for each in kept if "sealed" in each]
    raw = b"".join(path.read_bytes() for path in (folder / "flows", folder / "flows.har"))
    shown = seen + raw + gateway.said().encode()
    assert len(sealed) > 6
    assert [each for each in sealed if each in shown] == []
    assert leaks(shown) == []
    assert leaks(json.dumps(kept)) == []
