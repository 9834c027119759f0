"""OCSF events out of happenings: values in, JSON values out, one object a line.

Written for OCSF 1.8.0 (schema.ocsf.io), which brought the profile `ai_operation`. An exchange is API Activity (6003),
whatever was decided. What the schema has no attribute for stands in `unmapped`, by the journal's own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from phigate import __version__
from phigate.audit.export.clean import address, line, moment, names, some, text_of
from phigate.audit.export.happenings import EXCHANGE, SERVED, counted, revealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.audit.export.happenings import Happening, Row

type Event = dict[str, Any]

VERSION: Final = "1.8.0"
_PRODUCT: Final = {"name": "Phigate", "vendor_name": "Phigate", "version": __version__}
_OTHER: Final = 99
_TOLD: Final = frozenset({"subject", "client", "by"})
"""Members of a record that have attributes of their own."""
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH = 1, 2, 3, 4


class Class(NamedTuple):
    """One event class: its numbers and what its activities are called."""

    category: int
    uid: int
    name: str
    activities: dict[int, str]


API: Final = Class(6, 6003, "API Activity", {1: "Create", 2: "Read", 3: "Update", 4: "Delete"})
LIFECYCLE: Final = Class(6, 6002, "Application Lifecycle", {3: "Start", 4: "Stop"})
AUTHENTICATION: Final = Class(3, 3002, "Authentication", {1: "Logon", 2: "Logoff"})
ENTITY: Final = Class(3, 3004, "Entity Management", {1: "Create", 2: "Read", 3: "Update", 4: "Delete"})

_METHODS: Final = {"PUT": 3, "PATCH": 3, "DELETE": 4, "GET": 2, "HEAD": 2}


class Told(NamedTuple):
    """How a record of one kind is told: class, activity, severity, and what an activity of no number is called."""

    of: Class
    activity: int
    severity: int
    named: str = ""


KINDS: Final = {
    "refused": Told(AUTHENTICATION, 1, _MEDIUM),
    "token": Told(AUTHENTICATION, _OTHER, _INFORMATIONAL, "Bearer Issued"),
    "revocation": Told(AUTHENTICATION, 2, _LOW),
    "look": Told(ENTITY, 2, _INFORMATIONAL),
    "policy": Told(ENTITY, 3, _MEDIUM),
    "ticket": Told(ENTITY, 3, _LOW),
    "grant": Told(ENTITY, 1, _LOW),
    "break-glass": Told(ENTITY, _OTHER, _HIGH, "Break-Glass"),
    "review": Told(ENTITY, 2, _LOW),
    "deployment": Told(ENTITY, 3, _MEDIUM),
    "notice": Told(ENTITY, _OTHER, _INFORMATIONAL, "Webhook"),
    "opened": Told(ENTITY, 1, _INFORMATIONAL),
    "closed": Told(ENTITY, 3, _INFORMATIONAL),
    "recovered": Told(ENTITY, 3, _LOW),
    "anchor": Told(ENTITY, 1, _INFORMATIONAL),
    "prune": Told(ENTITY, 4, _MEDIUM),
    "clock": Told(ENTITY, 3, _MEDIUM),
}
"""Every kind of record that is about no exchange."""
TURNS: Final = {"start": Told(LIFECYCLE, 3, _INFORMATIONAL), "stop": Told(LIFECYCLE, 4, _INFORMATIONAL)}
"""A gateway's start and stop, which its first and last records tell of."""
UNKNOWN: Final = Told(ENTITY, _OTHER, _INFORMATIONAL, "Recorded")


def event(happening: Happening) -> Event:
    """One happening as one event."""
    return _exchange(happening) if happening.kind == EXCHANGE else _record(happening)


def _exchange(happening: Happening) -> Event:
    row = happening.row
    manages = "manage-models" in names(row["actions"])
    activity = _METHODS.get(str(row["method"]), 1) if manages else 2
    served, broken = row["verb"] in SERVED, row["verb"] == "break_glass"
    severity = _HIGH if broken else _INFORMATIONAL if served else _LOW if row["verb"] == "hold" else _MEDIUM
    end = row["ended"]
    return some(
        _base(happening, API, activity, severity)
        | {
            "metadata": _metadata(happening, profiles=["ai_operation"]),
            "start_time": _milliseconds(happening.at),
            "end_time": None if end is None else _milliseconds(end),
            "duration": None if row["total"] is None else round(row["total"] * 1000),
            "actor": _actor(row),
            "src_endpoint": _endpoint(row["ip"]),
            "dst_endpoint": {"name": line(happening.instance) or "unknown", "svc_name": "phigate"},
            "api": some(
                {
                    "operation": ", ".join(map(line, names(row["actions"]))) or "unknown",
                    "service": {"name": line(row["dialect"]) or "unknown"},
                    "request": {"uid": line(row["exchange"]) or "unknown"},
                    "response": some({"code": row["status"], "error": None if served else line(row["reason"])}),
                }
            ),
            "http_request": some({"http_method": line(row["method"]), "user_agent": line(row["agent"])}),
            "http_response": some({"code": row["status"]}),
            "ai_model": _model(row),
            "message_context": some(
                {
                    "uid": line(row["session"]),
                    "ai_role_id": 1,
                    "prompt_tokens": row["tokens_in"],
                    "completion_tokens": row["tokens_out"],
                    "service": {"name": "phigate"},
                }
            ),
            "unmapped": _unmapped(happening),
        }
        | _status(row, served=served)
    )


def _record(happening: Happening) -> Event:
    told = TURNS.get(happening.turn or "") or KINDS.get(happening.kind, UNKNOWN)
    fields, row = happening.fields, happening.row
    good = happening.went_well
    base = _base(happening, told.of, told.activity, told.severity, told.named) | {
        "metadata": _metadata(happening),
        "status_id": 1 if good else 2,
        "status": "Success" if good else "Failure",
        "status_detail": line(text_of(fields.get("reason"))),
        "unmapped": some({line(name): line(text_of(value)) for name, value in fields.items() if name not in _TOLD}),
    }
    return some(base | _ABOUT[told.of.uid](happening, row, fields))


def _lifecycle(happening: Happening, _row: Row, _fields: Row) -> Event:
    return {"app": {**_PRODUCT, "uid": line(happening.instance) or "unknown"}}


def _authentication(happening: Happening, row: Row, fields: Row) -> Event:
    client = fields.get("client")
    ip = client.get("ip") if isinstance(client, dict) else None
    return {
        "user": _user(row.get("issuer"), row.get("subject"), []),
        "src_endpoint": _endpoint(ip),
        "service": {"name": "phigate", "uid": line(happening.instance) or "unknown"},
        "count": fields.get("count") if isinstance(fields.get("count"), int) else None,
    }


def _entity(happening: Happening, row: Row, fields: Row) -> Event:
    version = fields.get("policy")
    return {
        "entity": some(
            {
                "name": happening.kind,
                "type": "policy" if happening.kind == "policy" else "journal",
                "uid": f"{line(row.get('file'))}@{row.get('offset')}",
                "version": line(version) if isinstance(version, str) else None,
            }
        ),
        "actor": {"user": _who(happening), "app_name": "phigate"},
        "comment": line(text_of(fields.get("reason"))),
    }


_ABOUT: Final[dict[int, Callable[[Happening, Row, Row], Event]]] = {
    LIFECYCLE.uid: _lifecycle,
    AUTHENTICATION.uid: _authentication,
    ENTITY.uid: _entity,
}


def _base(happening: Happening, of: Class, activity: int, severity: int, named: str = "") -> Event:
    return {
        "category_uid": of.category,
        "class_uid": of.uid,
        "class_name": of.name,
        "activity_id": activity,
        "activity_name": of.activities.get(activity, named or "Other"),
        "type_uid": of.uid * 100 + activity,
        "severity_id": severity,
        "time": _milliseconds(happening.at),
    }


def _metadata(happening: Happening, profiles: list[str] | None = None) -> Event:
    return some(
        {
            "version": VERSION,
            "product": _PRODUCT,
            "uid": happening.id,
            "original_event_uid": line(happening.row.get("exchange")),
            "event_code": happening.kind,
            "log_name": "phigate journal",
            "log_provider": line(happening.instance),
            "profiles": profiles,
        }
    )


def _status(row: Row, *, served: bool) -> Event:
    if row["verb"] == "hold":
        return {"status_id": _OTHER, "status": "Held", "status_detail": line(row["reason"])}
    if not served:
        return {"status_id": 2, "status": "Failure", "status_detail": line(row["reason"]) or "denied"}
    outcome = line(row["outcome"])
    if not outcome:
        return {"status_id": 0, "status": "Unknown", "status_detail": "no answer on record yet"}
    good = outcome == "complete"
    return {"status_id": 1 if good else 2, "status": "Success" if good else "Failure", "status_detail": outcome}


def _actor(row: Row) -> Event:
    decided = some(
        {
            "decision": line(row["verb"]),
            "policy": some({"name": line(row["rule"]), "uid": line(row["policy"])}),
        }
    )
    session = some({"uid": line(row["session"]), "issuer": line(row["issuer"])})
    return some(
        {
            "user": _user(row["issuer"], row["subject"], names(row["roles"])),
            "session": session if "uid" in session else None,
            "authorizations": [decided] if decided else None,
            "app_name": line(row["agent"]),
        }
    )


def _who(happening: Happening) -> Event:
    """By their issuer, or by this machine's own name."""
    by = happening.by
    if by and not line(happening.row.get("subject")):
        return {"name": by["login"], "domain": by["host"], "type_id": 1}
    return _user(happening.row.get("issuer"), happening.row.get("subject"), [])


def _user(issuer: object, subject: object, roles: list[str]) -> Event:
    """A person as their issuer names them; nobody who was believed is the unknown user."""
    if not line(subject):
        return {"uid": "unknown", "type_id": 0}
    groups = [{"name": line(role), "type": "role"} for role in roles]
    return some({"uid": line(subject), "domain": line(issuer), "groups": groups, "type_id": 1})


def _endpoint(ip: object) -> Event:
    known = address(ip)
    return {"ip": known} if known else {"name": line(ip) or "unknown"}


def _model(row: Row) -> Event | None:
    return {"name": line(row["model"]), "ai_provider": "Internal"} if line(row["model"]) else None


def _unmapped(happening: Happening) -> Event:
    row = happening.row
    words = ("purpose", "rule", "verb", "policy", "ticket", "grant_id", "mask", "route", "bytes", "outcome", "shadow")
    told = {name: line(row[name]) if isinstance(row[name], str) else row[name] for name in words}
    return some(
        told
        | {
            "held": bool(row["held"]),
            "streamed": bool(row["streamed"]),
            "found_in_prompt": counted(happening, "in"),
            "found_in_answer": counted(happening, "out"),
            "revealed_to_model": revealed(happening, "in"),
            "revealed_to_caller": revealed(happening, "out"),
        }
    )


def _milliseconds(at: float) -> int:
    return round(moment(at).timestamp() * 1000)
