"""A journal in which a patient's number went four ways, written by the real writer."""

from datetime import UTC, datetime

from phigate.journal.writer import open_journal
from phigate.masking.identifiers import identifier
from phigate.masking.secrets import Secrets
from tests.journal.samples import request, response

MRN = "00123456"
KEYS = Secrets(bytes.fromhex("ab" * 32), "1")
NUMBER = identifier("MRN", MRN, KEYS)
NAME = identifier("PERSON", "Marguerite Ashdown", KEYS)
OTHER = identifier("MRN", "4471902", KEYS)


def asked(exchange, name, *held, revealed=(), purpose="treatment", **more):
    fields = request(exchange, name=name, **more) | {"purpose": purpose, "client": {"ip": "192.0.2.7", "agent": "a"}}
    return "request", fields | {"identifiers": list(held), "revealed": list(revealed)}


def answered(exchange, *held, revealed=()):
    return "response", response(exchange) | {"identifiers": list(held), "revealed": list(revealed)}


ROWS = (
    asked("ex-1", "ada", NUMBER, NAME, revealed=[NUMBER, NAME]),
    answered("ex-1", NUMBER, revealed=[NUMBER]),
    asked("ex-2", "ben", purpose="research", session="s2"),
    answered("ex-2", NUMBER, NAME),
    asked("ex-3", "cleo", NUMBER, verb="deny", purpose=None),
    asked("ex-4", "=dan", purpose=None),
    answered("ex-4", NAME, revealed=[NAME]),
    asked("ex-5", "eve", OTHER, revealed=[OTHER]),
    answered("ex-5", OTHER, revealed=[OTHER]),
    asked("ex-6", "fay"),
    ("response", response("ex-6") | {"identifiers": [NUMBER]}),
)


def written(folder, rows=ROWS):
    journal = open_journal(folder / "journal", "gw", lambda: datetime.now(UTC))
    for kind, fields in rows:
        journal.append(kind, fields)
    journal.close("test over")
    secrets = folder / "secrets"
    secrets.write_text(f"{KEYS.epoch} {KEYS.key.hex()}\n")
    secrets.chmod(0o600)
    return folder / "journal", secrets
