"""What a gateway can serve a policy by: routes and dialects that it knows, and the keys and certificates named there.

Glue: it reads files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.capture.seal import Auditor, BadKey, public_of
from phigate.dialect import generic, kserve_grpc
from phigate.dialect.known import PROTOCOLS, ROUTES
from phigate.identity.saml import Provider, certificate_usable
from phigate.masking.structure.paths import unknown_routes
from phigate.policy.load import PolicyFaults, load_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from phigate.dialect.routes import Route
    from phigate.policy.schema import Policy

CALLS = {method.name: f"POST {path}" for path, method in kserve_grpc.METHODS.items()}
"""What of gRPC the policy's `fields` may name, by the names that stand in records."""

MOST_KEY = 16 * 1024
"""Bytes of a file that holds a key."""


class ProviderFault(Exception):  # noqa: N818 -- the operator's fault, told in the operator's words
    """Why an identity provider's certificates cannot be had."""


def read_policy(path: Path) -> Policy:
    """A policy that holds beside the dialects that the gateway speaks; raises PolicyFaults."""
    return load_policy(path, _faults)


def _faults(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield from generic.faults(policy, ROUTES)
    try:
        auditor_of(policy)
    except BadKey as fault:
        yield ("capture", "seal_to"), str(fault)


def auditor_of(policy: Policy) -> Auditor | None:
    """The auditor's public key, where the policy seals originals to it; raises BadKey."""
    named = policy.capture.seal_to
    if policy.capture.bodies != "sealed" or named is None:
        return None
    if not named.startswith("file:"):
        return Auditor(public_of(named))
    try:
        with (policy.folder / named.removeprefix("file:")).open("rb") as file:
            return Auditor(public_of(file.read(MOST_KEY).decode("ascii")))
    except (OSError, ValueError) as error:
        if isinstance(error, BadKey):
            raise
        why = getattr(error, "strerror", None) or "it is no text"
        raise BadKey(f"cannot be read: {why.lower()}") from None


def served(policy: Policy, path: Path) -> tuple[tuple[Route, ...], dict[str, str]]:
    """What a policy's gateway serves: its routes, and `METHOD PATH` by a route's name.

    Raises PolicyFaults where the policy names a route or a dialect that nobody knows.
    """
    routes = (*ROUTES, *generic.routes_of(policy.routes))
    matches = {route.name: f"{route.method} {route.path}" for route in routes} | CALLS
    if unknown := unknown_routes(policy.fields, matches.values()):  # a mistyped route would hide nothing
        raise PolicyFaults(tuple(f"{path}: fields: no server has the route `{each}`" for each in unknown))
    for name, model in (policy.models or {}).items():
        if strange := sorted(set(model.speaks) - PROTOCOLS):
            raise PolicyFaults((f"{path}: models.{name}.speaks: no dialect is called `{strange[0]}`",))
    return routes, matches


def read_served(path: Path) -> Policy:
    """A policy that names nothing which its gateway could not serve; raises PolicyFaults."""
    policy = read_policy(path)
    served(policy, path)
    return policy


def providers_of(policy: Policy) -> tuple[Provider, ...]:
    """The policy's SAML identity providers with their certificates read; raises ProviderFault."""
    return tuple(
        Provider(
            entity_id=entry.entity_id,
            audience=entry.audience,
            groups_from=entry.groups_from,
            certificates=tuple(_certificate(policy.folder / name) for name in entry.certificates),
        )
        for entry in policy.saml
    )


def _certificate(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderFault(f"{path}: cannot be read ({type(error).__name__})") from None
    if not certificate_usable(text):
        raise ProviderFault(f"{path}: holds no certificate with a key that signatures can be checked with")
    return text
