"""Every target, by the name that `scripts/fuzz` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzzing import bodies, desk, files, identity, masks, streams, upstream, wire

if TYPE_CHECKING:
    from tests.fuzzing.target import Target

TARGETS: dict[str, Target] = {
    "bearer": identity.BEARER,
    "proof": identity.PROOF,
    "jwks": identity.JWKS,
    "saml": identity.SAML,
    "token": desk.TOKEN,
    "http1": wire.HTTP1,
    "grpc": wire.GRPC,
    "websocket": wire.WEBSOCKET,
    "json": bodies.JSON,
    "upstream": upstream.UPSTREAM,
    "answer": bodies.ANSWER,
    "multipart": bodies.MULTIPART,
    "protobuf": bodies.PROTOBUF,
    "sse": streams.SSE,
    "ndjson": streams.NDJSON,
    "stream": streams.STREAM,
    "masking": masks.MASKING,
    "policy": files.POLICY,
    "flow": files.FLOW,
    "journal": files.JOURNAL,
    "slack": desk.SLACK,
    "secrets": desk.SECRETS,
    "cookies": desk.COOKIES,
}
"""Those that anybody may send come first."""
