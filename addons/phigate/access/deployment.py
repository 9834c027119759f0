"""What a request says of the deployment that it is part of, and whether it is a question only. Pure.

- `phi-deployment: version=V, digest=D` stands on record as it was written, so it has a narrow form and is read only
  where a model is changed.
- `phi-ask: ticket` gets the ticket of what is held, at once; nothing of such a request ever goes on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.exchange import Deployment

ASK: Final = b"phi-ask"
STATED: Final = b"phi-deployment"
HEADERS: Final = frozenset({ASK, STATED})
_VERSION: Final = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
_DIGEST: Final = r"(?:sha(?:1|256|384|512):)?(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})"
_PLAIN: Final = (re.compile(_VERSION, re.ASCII), re.compile(_DIGEST, re.ASCII))
_FORM: Final = re.compile(rf"version=({_VERSION}), ?digest=({_DIGEST})", re.ASCII)


def deployment_of(version: object, digest: object) -> Deployment | None:
    """A version's name and a digest in hex, with its algorithm or without; None where they are none."""
    if not isinstance(version, str) or not isinstance(digest, str):
        return None
    fits = _PLAIN[0].fullmatch(version) and _PLAIN[1].fullmatch(digest)
    return (version, digest) if fits else None


def stated(fields: Mapping[bytes, bytes], actions: frozenset[str]) -> tuple[Deployment | None, bool] | None:
    """The deployment of a request, and whether it only asks; None where a header says neither. Names in lower case."""
    asks = fields.get(ASK)
    if asks not in {None, b"ticket"}:
        return None
    if STATED not in fields:
        return None, asks is not None
    found = _FORM.fullmatch(fields[STATED].decode("latin-1"))
    if found is None or "manage-models" not in actions:
        return None
    return (found[1], found[2]), asks is not None
