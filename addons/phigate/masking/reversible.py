"""Tokens in place of values that the key turns back: `MRN{mfrggzdfmztwq2lk...}`.

Rules of this file:
- AES-256-SIV (RFC 5297) of the value, bound to its entity: the same value gives the same token, a changed token gives
  nothing. The length of the value shows, and that two values are equal.
- A token is made of capitals, `_`, braces, `a` to `z` and `2` to `7`: it passes JSON, Markdown and URLs as it is, and
  may be written in another case.

Format-preserving encryption (NIST SP 800-38G FF1) is not offered: no well-kept Python library has it, and FF3 and FF3-1
are withdrawn.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

if TYPE_CHECKING:
    from phigate.masking.secrets import Secrets

TOKEN = re.compile(r"\b([A-Z][A-Z0-9_]{1,40})\{([a-z2-7]{26,20000})\}", re.IGNORECASE | re.ASCII)
ENCODING = ("utf-8", "surrogatepass")


def encrypt(entity: str, text: str, secrets: Secrets) -> str:
    """The token of a value that is not empty, under the current key."""
    sealed = _cipher(secrets).encrypt(text.encode(*ENCODING), [entity.encode()])
    return f"{entity}{{{base64.b32encode(sealed).decode().rstrip('=').lower()}}}"


def decrypt(token: str, secrets: Secrets) -> str | None:
    """The value of a token made with any of the keys; None for what is no token of ours."""
    found = TOKEN.fullmatch(token.strip())
    if not found:
        return None
    letters = found[2].upper()
    try:
        sealed = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        return None
    for each in secrets.every:
        try:
            return _cipher(each).decrypt(sealed, [found[1].upper().encode()]).decode(*ENCODING)
        except (InvalidTag, UnicodeDecodeError):
            continue
    return None


def reveal(text: str, secrets: Secrets) -> tuple[str, int]:
    """A text with every token of ours turned back, and how many were; what is none stays."""
    turned = 0

    def back(found: re.Match[str]) -> str:
        nonlocal turned
        value = decrypt(found[0], secrets)
        turned += value is not None
        return found[0] if value is None else value

    return TOKEN.sub(back, text), turned


@lru_cache(maxsize=16)
def _cipher(secrets: Secrets) -> AESSIV:
    return AESSIV(secrets.digest("encrypt", "mac") + secrets.digest("encrypt", "counter"))
