"""FHIR R4 AuditEvents out of happenings: values in, JSON values out.

Rules of this file: a patient is only ever named by a keyed hash; nothing of a body is told; every coding is one of
fhir_codes.py or names a word of the journal in a system of ours (`urn:phigate:...`); the same happening gives the same
resource. An exchange is one event, and one more for each person whose identifier the caller received as it was (IHE
BALP, Privacy Disclosure at Source). Whether such a release is a disclosure in the sense of 45 CFR 160.103 depends on
who the caller is: that is not for the gateway to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.audit.export import fhir_codes as codes
from phigate.audit.export.clean import address, instant, line, names, part, some, text_of, uri, word
from phigate.audit.export.fhir_codes import OURS, coding, concept
from phigate.audit.export.happenings import EXCHANGE, SERVED, stable_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from phigate.audit.export.happenings import Happening, Named, Row

type Resource = dict[str, Any]

_DETAILS: Final = ("dialect", "method", "route", "bytes", "status", "mask", "tokens_in", "tokens_out")
_NOT_DETAILS: Final = frozenset({"subject", "client", "by", "exchange", "reason"})


def resources(happening: Happening, *, disclosures: bool = True) -> Iterator[Resource]:
    """The AuditEvents of a happening; `disclosures` adds one for each person that an answer revealed."""
    if happening.kind != EXCHANGE:
        yield _record(happening)
        return
    yield _exchange(happening)
    if disclosures:
        for digest in _revealed(happening):
            yield _disclosure(happening, digest)


def _exchange(happening: Happening) -> Resource:
    row = happening.row
    served = row["verb"] in SERVED
    type_, action, more = _what(row)
    subtypes = [*more, *(coding(f"{OURS}:action", word(name)) for name in names(row["actions"]) if word(name))]
    if not served:
        type_, subtypes = codes.ALERT, [codes.AUTHORIZATION, *subtypes]
    elif row["verb"] == "break_glass":
        subtypes = [*subtypes, codes.OVERRIDE]
    outcome, told = _outcome(row)
    return _event(
        happening,
        id_=happening.id,
        type_=type_,
        subtypes=subtypes,
        action=action,
        outcome=outcome,
        told=told,
        purposes=_purposes(row),
        agents=[*_callers(row), _gateway(happening, codes.DESTINATION_AGENT), *_model(row)],
        entities=[*_objects(happening), *(_identified(each) for each in happening.named)],
    )


def _disclosure(happening: Happening, named: Named) -> Resource:
    """IHE BALP 1.1.4, Privacy Disclosure at Source: one patient, what held the data, who let it go and who got it."""
    row = happening.row
    outcome, told = _outcome(row)
    *person, client = _callers(row)
    event = _event(
        happening,
        id_=stable_id("disclosure", row["exchange"], named.entity, named.digest),
        type_=codes.EXPORT,
        subtypes=[codes.DISCLOSE],
        action="R",
        outcome=outcome,
        told=told,
        purposes=_purposes(row),
        agents=[_gateway(happening, codes.SOURCE_AGENT), client | {"type": codes.DESTINATION_AGENT}, *person],
        entities=[_patient(named), *_objects(happening)],
    )
    event["meta"]["profile"] = [codes.DISCLOSURE_PROFILE]
    return event


def _record(happening: Happening) -> Resource:
    fields, kind = happening.fields, happening.kind
    known = codes.KINDS.get(kind, codes.UNKNOWN_KIND)
    turn = {"start": [codes.START], "stop": [codes.STOP]}.get(happening.turn or "", [])
    subtypes = [*turn, *known.subtypes, coding(f"{OURS}:record", word(kind))]
    told = ": ".join(filter(None, (known.said, line(text_of(fields.get("reason"))))))
    return _event(
        happening,
        id_=happening.id,
        type_=known.type,
        subtypes=subtypes,
        action=known.action,
        outcome=_record_outcome(happening),
        told=told,
        purposes=[concept(codes.BREAK_GLASS)] if kind in ("break-glass", "review") else [],
        agents=[*_actors(happening), _gateway(happening, codes.APPLICATION_AGENT)],
        entities=list(_fields(happening)),
    )


def _event(
    happening: Happening,
    *,
    id_: str,
    type_: codes.Coding,
    subtypes: list[codes.Coding],
    action: str,
    outcome: str,
    told: str,
    purposes: list[Any],
    agents: list[Resource],
    entities: list[Resource],
) -> Resource:
    start, end = instant(happening.at), happening.row.get("ended")
    return some(
        {
            "resourceType": "AuditEvent",
            "id": id_,
            "meta": {"tag": [coding(f"{OURS}:record", id_)]},
            "type": type_,
            "subtype": subtypes,
            "action": action,
            "period": {"start": start, "end": max(start, instant(end))} if end is not None else None,
            "recorded": start,
            "outcome": outcome,
            "outcomeDesc": told,
            "purposeOfEvent": purposes,
            "agent": agents,
            "source": {
                "site": line(happening.instance) or "unknown",
                "observer": _observer(happening),
                "type": [codes.SECURITY_SERVER],
            },
            "entity": entities,
        }
    )


# -- what it was ----------------------------------------------------------------------------------------------------


def _what(row: Row) -> tuple[codes.Coding, str, list[codes.Coding]]:
    """Type, action and subtypes of an exchange that was let through: a question to a model is a query, executed."""
    actions = names(row["actions"])
    if "manage-models" in actions:
        return codes.ALERT, codes.METHODS.get(str(row["method"]), "E"), [codes.SOFTWARE_CONFIGURATION]
    return codes.QUERY, "R" if actions == ["list-models"] else "E", []


def _outcome(row: Row) -> tuple[str, str]:
    reason = line(row["reason"])
    if row["verb"] == "hold":
        return codes.MINOR, f"held: {reason or 'approval-required'}"
    if row["verb"] not in SERVED:
        return codes.SERIOUS, f"denied: {reason or 'no reason on record'}"
    outcome = line(row["outcome"])
    if not outcome:
        return codes.MINOR, "no answer on record yet"
    return codes.OUTCOMES.get(outcome, codes.SERIOUS), outcome


def _record_outcome(happening: Happening) -> str:
    if not happening.went_well:
        return codes.SERIOUS
    return codes.MINOR if happening.kind == "recovered" else codes.SUCCESS


def _purposes(row: Row) -> list[Any]:
    known = codes.PURPOSES.get(str(row["purpose"]))
    broken = codes.BREAK_GLASS if row["verb"] == "break_glass" else None
    return [concept(each) for each in (known, broken) if each]


# -- who ------------------------------------------------------------------------------------------------------------


def _callers(row: Row) -> list[Resource]:
    """The person, where one was believed, and last the client they used."""
    person = _person(row["issuer"], row["subject"], names(row["roles"]))
    if person is not None:
        rules = [f"{OURS}:{kind}:{part(row[kind])}" for kind in ("policy", "rule") if row[kind]]
        person |= some({"policy": rules, "purposeOfUse": _purposes(row)})
    client = _client(row["ip"], row["agent"], asked=person is None)
    return [client] if person is None else [person, client]


def _actors(happening: Happening) -> list[Resource]:
    """Those who had to do with a record that is about no exchange: by their issuer, or by this machine's own name."""
    row, fields = happening.row, happening.fields
    subject, client = fields.get("subject"), fields.get("client")
    roles = subject.get("roles") if isinstance(subject, dict) else None
    person = _person(row.get("issuer"), row.get("subject"), roles if isinstance(roles, list) else [])
    if person is None and (by := happening.by):
        person = _person(f"{OURS}:host:{part(by['host'])}", by["login"], [])
    ip = client.get("ip") if isinstance(client, dict) else None
    return [each for each in (person, _client(ip, None, asked=person is None) if ip else None) if each]


def _person(issuer: object, subject: object, roles: list[Any]) -> Resource | None:
    if not line(subject):
        return None
    return some(
        {
            "type": codes.PERSON_AGENT,
            "role": [concept(coding(f"{OURS}:role", word(role))) for role in roles if word(role)],
            "who": {"identifier": some({"system": uri(issuer), "value": line(subject)})},
            "requestor": True,
        }
    )


def _client(ip: object, agent: object, *, asked: bool) -> Resource:
    known = address(ip)
    network = {"address": known or word(ip) or "unknown", "type": codes.IP if known else codes.MACHINE}
    who = {"display": line(agent) or "a client that does not name itself"}
    return {"type": codes.SOURCE_AGENT, "who": who, "requestor": asked, "network": network}


def _gateway(happening: Happening, type_: Resource) -> Resource:
    network = {"address": line(happening.instance) or "unknown", "type": codes.MACHINE}
    return {"type": type_, "who": _observer(happening), "requestor": False, "network": network}


def _observer(happening: Happening) -> Resource:
    value = line(happening.instance) or "unknown"
    return {"type": "Device", "identifier": {"system": f"{OURS}:instance", "value": value}, "display": "phigate"}


def _model(row: Row) -> Iterator[Resource]:
    """The model, where it was asked."""
    if row["verb"] in SERVED and line(row["model"]):
        who = {"type": "Device", "identifier": {"system": f"{OURS}:model", "value": line(row["model"])}}
        yield {"type": codes.APPLICATION_AGENT, "who": who, "requestor": False}


# -- about what -----------------------------------------------------------------------------------------------------


def _objects(happening: Happening) -> Iterator[Resource]:
    row = happening.row
    details = {name.replace("_", " "): row[name] for name in _DETAILS}
    for side, said in (("in", "prompt"), ("out", "answer")):
        details |= {f"{line(entity)} in {said}": n for entity, n in happening.found.get(side, {}).items()}
    yield _thing("exchange", row["exchange"], codes.JOB_ROLE, details)
    for kind, role, more in (
        ("session", codes.STREAM_ROLE, {}),
        ("rule", codes.SECURITY_ROLE, {"verb": row["verb"], "policy": row["policy"]}),
        ("ticket", codes.SECURITY_ROLE, {}),
        ("grant", codes.SECURITY_ROLE, {}),
    ):
        value = row["grant_id" if kind == "grant" else kind]
        if line(value):
            yield _thing(kind, value, role, more)


def _fields(happening: Happening) -> Iterator[Resource]:
    told = {name: text_of(value) for name, value in happening.fields.items() if name not in _NOT_DETAILS}
    where = f"{happening.row.get('file')}@{happening.row.get('offset')}"
    yield _thing("record", where, codes.SECURITY_ROLE, told)
    if line(text_of(happening.fields.get("exchange"))):
        yield _thing("exchange", text_of(happening.fields["exchange"]), codes.JOB_ROLE, {})


def _thing(kind: str, value: object, role: codes.Coding, details: Mapping[str, Any]) -> Resource:
    told = [{"type": line(name), "valueString": line(what)} for name, what in details.items()]
    return some(
        {
            "what": {"identifier": {"system": f"{OURS}:{kind}", "value": line(value) or "unknown"}},
            "type": codes.SYSTEM_OBJECT,
            "role": role,
            "detail": [each for each in told if each["type"] and each["valueString"]],
        }
    )


def _identified(named: Named) -> Resource:
    """An identifier that was found, by its keyed hash; what did not get through as it was is labelled as masked."""
    entity = _patient(named) if named.entity in codes.PATIENT_ENTITIES else _other(named)
    to = "model" if named.side == "in" else "caller"
    detail = {True: f"to the {to}", False: f"not to the {to}", None: "not on record"}[named.revealed]
    label = {"securityLabel": [codes.MASKED]} if named.revealed is False else {}
    return entity | label | {"detail": [{"type": "revealed", "valueString": detail}]}


def _patient(named: Named) -> Resource:
    return {
        "what": {"type": "Patient", "identifier": _keyed(named)},
        "type": codes.PERSON,
        "role": codes.PATIENT_ROLE,
    }


def _other(named: Named) -> Resource:
    return {"what": {"identifier": _keyed(named)}, "type": codes.OTHER_OBJECT}


def _keyed(named: Named) -> dict[str, str]:
    system = f"{OURS}:identifier:{part(named.entity)}"
    return {"system": system, "value": line(named.digest) or "unknown"}


def _revealed(happening: Happening) -> list[Named]:
    """Who was revealed to the caller; what the caller wrote themselves is not among it."""
    released = happening.row["verb"] in SERVED
    named = (each for each in happening.named if each.side == "out" and each.revealed)
    return [each for each in named if each.entity in codes.PATIENT_ENTITIES] if released else []
