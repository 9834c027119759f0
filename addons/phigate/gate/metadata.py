"""What the gateway says of itself to anybody who asks: OAuth 2.0 Protected Resource Metadata (RFC 9728)."""

from __future__ import annotations

import orjson

from phigate.policy.words import ALGORITHMS


def protected_resource(url: str | None, console: str | None) -> bytes | None:
    """The document as JSON; None where the gateway does not know its own address."""
    if url is None:
        return None
    document = {
        "resource": url,
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": sorted(ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": True,
    }
    if console is not None:
        document |= {"authorization_servers": [console], "jwks_uri": f"{console}/jwks.json"}
    return orjson.dumps(document)
