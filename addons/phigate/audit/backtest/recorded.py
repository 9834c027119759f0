"""What a request's record says of the request, as far as a policy can be asked about it again. Pure.

Records are read from files that may have been changed: a field of another shape than ours counts as missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from phigate.dialect import kserve_grpc
from phigate.dialect.known import spoken
from phigate.dialect.tree import TreeError, texts
from phigate.policy.verdict import Verdict
from phigate.policy.words import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phigate.dialect.routes import Route

type Record = Mapping[str, Any]

BY_CONTENT = frozenset({"content-unreadable", "steering-refused"})
"""Reasons for which a request is refused that the rules would permit: a rule may say that they do not count."""
NAMELESS = frozenset({"model-unknown", "model-ambiguous"})
"""Reasons for which nobody was asked, and that another policy may not see; the name itself is not on record."""
_FAR = 1e11
"""The year 5138."""
_DECIDED = (REASONS - {"reason-missing"}) | {None}


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked what: all that one policy's answer depends on, apart from the prompt and the headers."""

    issuer: str
    groups: tuple[str, ...]
    actions: frozenset[str]
    model: str | None
    dialect: str | None
    route: str | None


def request_of(record: Record) -> Request | None:
    """Read who asked what; None where the record does not say it."""
    subject = part(record, "subject")
    issuer, model, dialect, route = (
        subject.get("issuer"),
        *(record.get(name) for name in ("model", "dialect", "route")),
    )
    if not isinstance(issuer, str) or not all(
        name is None or isinstance(name, str) for name in (model, dialect, route)
    ):
        return None
    return Request(issuer, names(subject, "groups"), frozenset(names(record, "action")), model, dialect, route)


def decided(record: Record) -> Verdict | None:
    """What was decided of it, without masks; None where it was refused for something that no rule is about."""
    decision = part(record, "decision")
    verb, rule, reason = (text(decision, name) for name in ("verb", "rule", "reason"))
    if verb not in {"permit", "break_glass", "hold", "deny"}:
        return None
    if verb in {"permit", "break_glass"}:  # a verdict tells by which rule, not whether that was an emergency's
        return Verdict("permit", rule)
    if reason in BY_CONTENT:  # before any rule was asked, it was the request's form
        return Verdict("deny", None, reason) if names(decision, "rules") else None
    return Verdict(verb, rule, reason) if reason in _DECIDED else None


def at(record: Record) -> float | None:
    """When it was written, in seconds since the epoch; a time that a calendar may end before counts as missing."""
    try:
        found = datetime.fromisoformat(text(record, "ts") or "").timestamp()
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < _FAR else None


def granted(record: Record) -> tuple[str, ...]:
    """The rules of which somebody may have said yes to the request: all that matched, where a grant was at hand."""
    decision = part(record, "decision")
    by_grant = text(decision, "grant") is not None or text(decision, "reason") == "outside-hours"
    return names(decision, "rules") if by_grant else ()


def why(record: Record) -> str:
    """The reason of a refusal that no rule is about."""
    return text(part(record, "decision"), "reason") or "not-decided"


def roles(record: Record) -> str:
    """The subject's roles when it asked, in one word."""
    return "+".join(sorted(names(part(record, "subject"), "roles"))) or "-"


def kinds(record: Record, name: str) -> frozenset[str]:
    """The kinds of identifiers in a list of keyed identifiers (`ENTITY:HEX`)."""
    return frozenset(each.partition(":")[0] for each in names(record, name))


def found(record: Record) -> dict[str, int]:
    """How many identifiers of each kind were found."""
    counted = part(record, "findings")
    return {str(entity): number for entity, number in counted.items() if isinstance(number, int) and number > 0}


def prompt_of(body: Any, route: Route | None, name: str | None) -> tuple[str, ...] | None:
    """The texts of a prompt as they would be shown to a policy, from a body; None where it has none to be read.

    `name` is the route's, which gRPC's methods have as well.
    """
    if name is not None and name.startswith(kserve_grpc.DIALECT):
        return tuple(_called(body)) if isinstance(body, dict) else None
    if route is None or body is None:
        return None
    try:
        return tuple(texts(body, spoken(route).request))
    except TreeError:
        return None


def _called(body: Mapping[str, Any]) -> Iterable[str]:
    """The texts of a gRPC message, as it is kept: of its parameters, then of its tensors."""
    for stated in _list(body, "parameters"):
        yield from (value for value in stated.values() if isinstance(value, str))
    for tensor in _list(body, "inputs"):
        data = tensor.get("data")
        yield from (element for element in data if isinstance(element, str)) if isinstance(data, list) else ()


def _list(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = body.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def part(record: Record, name: str) -> Record:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def names(record: Record, name: str) -> tuple[str, ...]:
    found = record.get(name)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def text(record: Record, name: str) -> str | None:
    found = record.get(name)
    return found if isinstance(found, str) else None
