"""Records of requests and answers as a gateway writes them, for the tests of backtests."""

from itertools import count

from tests import policies

CARE = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean}"
LISTS = "{name: no-lists, deny: ['*'], to: [chat], when: {prompt_matches: ['list all']}}"
ISSUER = "https://idp.example"
NOW = 1_795_446_245.0
"""When it was asked, unless a record says otherwise."""
_NUMBERS = count()


def said(text):
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def request(text="How is she?", verb="permit", rule="care", reason=None, **more):
    """A clinician's chat: permitted by `care`, nothing found in it, unless `more` says otherwise."""
    groups = more.pop("groups", ["ward"])
    decision = {"verb": verb, "rule": rule, "rules": [rule] if rule else [], "reason": reason}
    return {
        "kind": "request",
        "ts": "2026-11-23T15:04:05.000000Z",
        "exchange": f"ex-{next(_NUMBERS)}",
        "subject": {"issuer": ISSUER, "id": "ada", "roles": ["clinician"], "groups": groups},
        "action": ["chat"],
        "model": "m",
        "dialect": "openai",
        "route": "openai-chat",
        "stated": [],
        "decision": decision | more.pop("decision", {}),
        "policy": policies.policy(CARE, LISTS).sha256,
        "findings": {},
        "revealed": [],
        "bytes": 100,
        "body": said(text),
    } | more


def response(to, **more):
    fields = {"findings": {"PERSON": 2, "MRN": 1}, "revealed": [], "mask": "lean"}
    return {"kind": "response", "ts": to["ts"], "exchange": to["exchange"], "status": 200, **fields} | more
