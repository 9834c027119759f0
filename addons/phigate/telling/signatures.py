"""Whose word it is: what the gateway tells is signed as Standard Webhooks say, and what Slack says is checked. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import Final

PREFIX: Final = "whsec_"
LEAST, MOST = 24, 64
"""Bytes of a secret (Standard Webhooks 1.0.0, signature scheme)."""
TOLERANCE: Final = 300.0
"""Seconds that a timestamp of Slack's may be off."""
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SLACK: Final = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


def keys_of(text: str) -> tuple[bytes, ...]:
    """The secrets of a `standard` webhook, the current one first; raises ValueError, which never repeats them."""
    keys = tuple(_key(word) for word in text.split())
    if not keys:
        raise ValueError("holds no secret")
    return keys


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True) if word.startswith(PREFIX) else b""
    except (binascii.Error, ValueError):
        key = b""
    if not LEAST <= len(key) <= MOST:
        raise ValueError(f"must be `{PREFIX}` and base64 of {LEAST} to {MOST} bytes, or several with blanks between")
    return key


def headers(keys: tuple[bytes, ...], id_: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a message (Standard Webhooks 1.0.0): a signature by each key, so that keys can be changed."""
    said = b"%b.%d.%b" % (id_.encode(), timestamp, body)
    signed = [base64.b64encode(hmac.digest(key, said, "sha256")).decode() for key in keys]
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{each}" for each in signed),
    }


def from_slack(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether a request is Slack's, made just now (Slack: "Verifying requests from Slack", version 0)."""
    if not _SECONDS.fullmatch(timestamp) or not _SLACK.fullmatch(signature):
        return False
    if abs(now - int(timestamp)) > TOLERANCE:
        return False
    said = hmac.digest(secret.encode(), b"v0:%b:%b" % (timestamp.encode(), body), "sha256").hex()
    return hmac.compare_digest(f"v0={said}", signature)
