"""Journals made for these tests: invented people, a clock that can be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from phigate.exchange import Exchange, Refusal, Subject
from phigate.journal import chain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOW = datetime(2026, 11, 23, 15, 4, 5, 123456, UTC)
POLICY = "ab" * 32
ASKED = {"messages": [{"role": "user", "content": "Summarise the stay of [PERSON]."}]}


class Clock:
    """Tells a second more each time it is asked."""

    def __init__(self, start: datetime = NOW) -> None:
        self.now = start

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def subject(name: str = "ada") -> Subject:
    return Subject(
        issuer="https://idp.test", id=name, groups=("ward-staff",), roles=frozenset({"clinician"}), expires=2e9
    )


def an_exchange(name: str = "ex-1", **changes: Any) -> Exchange:
    exchange = Exchange(
        id=name,
        started=1.0,
        client_ip="192.0.2.7",
        agent="openai/1",
        method="POST",
        dialect="openai",
        route="chat-completions",
        actions=frozenset({"unmask", "chat"}),
        model="llama3:latest",
        target="ward-assistant",
        subject=subject(),
        session="session-1",
    )
    for field, value in changes.items():
        setattr(exchange, field, value)
    return exchange


DENIED = Refusal(403, "no-rule-permits", "No rule permits this.", rule=None)


def request(exchange: str, *, verb: str = "permit", session: str = "s1", name: str = "ada", model: str = "ward") -> Any:
    return {
        "exchange": exchange,
        "session": session,
        "subject": {"issuer": "https://idp.test", "id": name, "roles": ["clinician"], "groups": []},
        "action": ["chat"],
        "model": model,
        "decision": {"verb": verb, "rule": "r", "rules": ["r"], "reason": None},
        "findings": {"PERSON": 1},
        "body": ASKED,
    }


def response(exchange: str) -> Any:
    return {"exchange": exchange, "status": 200, "outcome": "complete", "findings": {"MRN": 2}}


def chained(
    rows: Iterable[tuple[chain.Kind, Any]], *, seq: int = 0, prev: str = chain.ZEROS, clock: Any = None
) -> list[bytes]:
    clock = clock or Clock()
    lines: list[bytes] = []
    for kind, fields in rows:
        line = chain.line_of(seq=seq, prev=prev, now=clock(), instance="gw", kind=kind, fields=fields)
        lines.append(line)
        seq, prev = seq + 1, chain.digest(line)
    return lines


def small_journal() -> list[bytes]:
    return chained(
        [
            ("opened", {"software": "0", "file": "gw-20261123T150405Z-0.jsonl", "follows": None}),
            ("request", request("ex-1")),
            ("response", response("ex-1")),
            ("closed", {"reason": "done"}),
        ]
    )


def put(folder: Path, name: str, *rows: tuple[chain.Kind, Any], start: float = 0, end: bytes = b"") -> None:
    lines = chained(rows, clock=Clock(NOW + timedelta(seconds=start)))
    (folder / f"{name}.jsonl").write_bytes(b"".join(lines) + end)
