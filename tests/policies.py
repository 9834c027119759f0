"""Small policies for tests: one that holds, and ways to change a piece of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phigate.exchange import Subject
from phigate.policy.load import PolicyFaults, parse_policy

if TYPE_CHECKING:
    from phigate.policy.schema import Policy

ISSUERS = """\
issuers:
  - issuer: https://idp.example
    audience: phigate
    algorithms: [RS256]
    keys: discover
    groups_from: groups
"""
ROLES = "roles: {clinician: [ward], researcher: [lab], officer: [privacy]}\n"
MASKS = "masks: {lean: {PERSON: surrogate, OTHER: redact}, years: {DATE_TIME: year, OTHER: redact}}\n"
RULE = "  - {name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean}\n"
SHIPPED = Path(__file__).parents[1] / "rules" / "policy.yaml"


def text(*rules: str, head: str = "version: 1\n", roles: str = ROLES, masks: str = MASKS, tail: str = "") -> str:
    """A policy file of these rules, each in flow style."""
    listed = "".join(f"  - {rule}\n" for rule in rules) or RULE
    return f"{head}{ISSUERS}{roles}{masks}{tail}rules:\n{listed}"


def policy(*rules: str, head: str = "version: 1\n", roles: str = ROLES, masks: str = MASKS, tail: str = "") -> Policy:
    return parse_policy(text(*rules, head=head, roles=roles, masks=masks, tail=tail).encode(), "policy.yaml", Path())


def faults(of: str | bytes) -> list[str]:
    """The faults of a policy file, or none."""
    try:
        parse_policy(of if isinstance(of, bytes) else of.encode(), "p.yaml", Path())
    except PolicyFaults as refused:
        return list(refused.faults)
    return []


def subject(*roles: str) -> Subject:
    return Subject("https://idp.example", "someone", (), frozenset(roles), 0.0)
