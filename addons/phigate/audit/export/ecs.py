"""Elastic Common Schema documents out of happenings: values in, JSON values out, one document a line.

Written for ECS 9.5.0, whose `gen_ai` fields are beta; all others are those of 8.x. What ECS has no field for stands
under `phigate`, with which no field of ECS begins, by the journal's own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from phigate import __version__
from phigate.audit.export.clean import address, instant, line, names, some, text_of
from phigate.audit.export.happenings import EXCHANGE, SERVED, counted, revealed

if TYPE_CHECKING:
    from phigate.audit.export.happenings import Happening, Row

type Document = dict[str, Any]

VERSION: Final = "9.5.0"
_OPERATIONS: Final = {"chat": "chat", "complete": "text_completion", "embed": "embeddings"}
"""Of `gen_ai.operation.name`; actions that are not here keep the journal's word."""


class Told(NamedTuple):
    """`event.category` and `event.type`, from the values that ECS allows together."""

    category: str
    type: str


KINDS: Final = {
    "refused": Told("authentication", "start"),
    "token": Told("authentication", "start"),
    "revocation": Told("authentication", "end"),
    "look": Told("database", "access"),
    "policy": Told("configuration", "change"),
    "ticket": Told("iam", "change"),
    "grant": Told("iam", "creation"),
    "break-glass": Told("iam", "admin"),
    "review": Told("iam", "info"),
    "deployment": Told("configuration", "change"),
    "notice": Told("iam", "info"),
    "opened": Told("database", "info"),
    "closed": Told("database", "info"),
    "recovered": Told("database", "change"),
    "anchor": Told("database", "info"),
    "prune": Told("database", "change"),
    "clock": Told("configuration", "change"),
}
"""Every kind of record that is about no exchange."""
TURNS: Final = {"start": Told("process", "start"), "stop": Told("process", "end")}
"""A gateway's start and stop, which its first and last records tell of."""
UNKNOWN: Final = Told("database", "info")


def document(happening: Happening) -> Document:
    """One happening as one document."""
    return _exchange(happening) if happening.kind == EXCHANGE else _record(happening)


def _exchange(happening: Happening) -> Document:
    row = happening.row
    served, ended, actions = row["verb"] in SERVED, row["ended"], names(row["actions"])
    outcome = line(row["outcome"])
    good = {"": "unknown", "complete": "success"}.get(outcome, "failure") if served else "failure"
    event = some(
        {
            "kind": "event",
            "category": ["api"],
            "type": ["access", "allowed" if served else "denied"],
            "outcome": "unknown" if row["verb"] == "hold" else good,
            "id": happening.id,
            "action": ", ".join(map(line, actions)),
            "reason": line(row["reason"]) or outcome,
            "start": instant(happening.at),
            "end": None if ended is None else instant(ended),
            "duration": None if row["total"] is None else round(row["total"] * 1_000_000_000),
            "module": "phigate",
            "dataset": "phigate.journal",
        }
    )
    usage = {"input_tokens": row["tokens_in"], "output_tokens": row["tokens_out"]}
    return some(
        _base(happening, event)
        | _user(row["issuer"], row["subject"], names(row["roles"]))
        | _source(row["ip"])
        | {
            "user_agent": some({"original": line(row["agent"])}),
            "http": some(
                {
                    "request": some(
                        {
                            "method": line(row["method"]),
                            "id": line(row["exchange"]),
                            "body": some({"bytes": row["bytes"]}),
                        }
                    ),
                    "response": some({"status_code": row["status"]}),
                }
            ),
            "gen_ai": some(
                {
                    "operation": some({"name": _operation(actions)}),
                    "request": some({"model": line(row["model"])}),
                    "usage": some(usage),
                }
            ),
            "rule": some({"name": line(row["rule"]), "ruleset": line(row["policy"])}),
            "phigate": _own(happening),
        }
    )


def _record(happening: Happening) -> Document:
    told = TURNS.get(happening.turn or "") or KINDS.get(happening.kind, UNKNOWN)
    fields, row = happening.fields, happening.row
    event = some(
        {
            "kind": "event",
            "category": [told.category],
            "type": [told.type],
            "outcome": "success" if happening.went_well else "failure",
            "id": happening.id,
            "action": line(happening.kind),
            "reason": line(text_of(fields.get("reason"))),
            "module": "phigate",
            "dataset": "phigate.journal",
        }
    )
    client = fields.get("client")
    rest = {line(name): text_of(value) for name, value in fields.items() if name not in ("subject", "client", "by")}
    return some(
        _base(happening, event)
        | (_user(row.get("issuer"), row.get("subject"), []) or _by(happening))
        | (_source(client.get("ip")) if isinstance(client, dict) else {})
        | {"phigate": {"record": {name: line(value) for name, value in rest.items() if value}}}
    )


def _base(happening: Happening, event: Document) -> Document:
    observer = {"vendor": "Phigate", "product": "Phigate", "type": "proxy", "version": __version__}
    return {
        "@timestamp": instant(happening.at),
        "ecs": {"version": VERSION},
        "event": event,
        "observer": observer | some({"name": line(happening.instance)}),
    }


def _user(issuer: object, subject: object, roles: list[str]) -> Document:
    user = some({"id": line(subject), "domain": line(issuer), "roles": [line(role) for role in roles]})
    return {"user": user, "related": {"user": [user["id"]]}} if "id" in user else {}


def _by(happening: Happening) -> Document:
    """Whoever read the journal at a command line."""
    by = happening.by
    return {"user": {"name": by["login"], "domain": by["host"]}, "related": {"user": [by["login"]]}} if by else {}


def _source(ip: object) -> Document:
    known = address(ip)
    return {"source": some({"address": line(ip), "ip": known})}


def _operation(actions: list[str]) -> str:
    return next(
        (_OPERATIONS[action] for action in actions if action in _OPERATIONS), line(actions[0]) if actions else ""
    )


def _own(happening: Happening) -> Document:
    row: Row = happening.row
    words = ("session", "verb", "purpose", "ticket", "grant_id", "mask", "dialect", "route", "outcome", "shadow")
    return some(
        {name: line(row[name]) for name in words}
        | {
            "held": bool(row["held"]),
            "streamed": bool(row["streamed"]),
            "seconds": some({name: row[name] for name in ("total", "first", "upstream", "gateway")}),
            "found_in_prompt": counted(happening, "in"),
            "found_in_answer": counted(happening, "out"),
            "revealed_to_model": revealed(happening, "in"),
            "revealed_to_caller": revealed(happening, "out"),
        }
    )
