"""Journals of an invented hospital for the report's tests: people, answers, denials, at any time."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from phigate.audit.index.database import open_index
from phigate.audit.report.periods import Period
from phigate.audit.report.sql import Asking
from phigate.journal import chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ISSUER = "https://login.hospital.test"
MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
POLICY = "ab" * 32
HOSTILE = "</td><script>alert(1)</script><img src=http://x.test onerror=alert(2)>\"'\u202e\x1b[31m{{ 7*7 }}"
"""What a stranger could be called."""


def coded(entity: str, name: object) -> str:
    """A keyed identifier, as records hold it."""
    return f"{entity}:{hashlib.sha256(f'{entity} {name}'.encode()).hexdigest()[:32]}"


def patient(number: int) -> list[str]:
    return [coded("MRN", number), coded("PERSON", number)]


class Hospital:
    """Records in order of time; `write` makes the file."""

    def __init__(self) -> None:
        self.rows: list[tuple[datetime, chain.Kind, dict[str, Any]]] = []

    def event(self, at: datetime, kind: chain.Kind, **fields: Any) -> None:
        self.rows.append((at, kind, fields))

    def ask(
        self,
        at: datetime,
        who: str = "ada",
        *,
        verb: str = "permit",
        rule: str | None = "chats",
        reason: str | None = None,
        outcome: str | None = "complete",
        patients: range = range(0),
        shown: bool = False,
        seconds: float = 1.0,
        mask: str = "minimum-necessary",
        **more: Any,
    ) -> str:
        """One exchange; who is denied or held gets no answer's record."""
        exchange = f"ex-{len(self.rows)}"
        identifiers = [value for number in patients for value in patient(number)]
        found = {"MRN": len(patients), "PERSON": len(patients)} if patients else {}
        request = {
            "exchange": exchange,
            "session": f"s-{who}",
            "subject": {"issuer": ISSUER, "id": who, "roles": ["clinician"], "groups": []},
            "client": {"ip": "10.0.4.7", "agent": "ward-app/2"},
            "action": ["chat"],
            "model": "ward-assistant",
            "purpose": "treatment" if verb == "permit" else None,
            "decision": {"verb": verb, "rule": rule, "rules": [], "reason": reason, "ticket": None, "grant": None},
            "policy": POLICY,
            "findings": found,
            "identifiers": identifiers,
            "revealed": identifiers if verb == "permit" else [],
        }
        self.event(at, "request", **(request | more))
        if verb == "permit" and outcome:
            self.event(
                at + timedelta(seconds=seconds),
                "response",
                exchange=exchange,
                status=200,
                outcome=outcome,
                mask=mask,
                findings=found,
                identifiers=identifiers,
                revealed=identifiers if shown else [],
                seconds={"total": seconds, "first": 0.1, "upstream": seconds, "gateway": 0.01},
            )
        return exchange

    def write(self, folder: Path, *, start: int = 0, instance: str = "gw") -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.rows.sort(key=lambda row: row[0])
        first = self.rows[0][0] if self.rows else MONDAY
        name = f"{instance}-{first.year:04}{first:%m%dT%H%M%SZ}-{start}.jsonl"
        opened = (first, "opened", {"software": "0", "file": name, "follows": None})
        lines, prev = [], chain.ZEROS
        for seq, (now, kind, fields) in enumerate([opened, *self.rows], start):
            line = chain.line_of(seq=seq, prev=prev, now=now, instance=instance, kind=kind, fields=fields)
            lines.append(line)
            prev = chain.digest(line)
        (folder / name).write_bytes(b"".join(lines))


def november(zone: Any = UTC) -> Period:
    return Period(datetime(2026, 11, 1, tzinfo=zone).timestamp(), datetime(2026, 12, 1, tzinfo=zone).timestamp(), zone)


@contextmanager
def asking(folder: Path, period: Period | None = None) -> Iterator[Asking]:
    with open_index(folder) as index, Asking(index, period or november()) as made:
        yield made
