"""A journal of a hospital's year for the benchmarks: as many records as wanted, the same ones for the same number.

Its lines are made by the journal's own `line_of` and chained, its files begin, end and follow each other as a gateway's
do, and all but the newest are compressed. People are invented; what they ask are a few hundred texts of 1 to 4 KB.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import rosters
from phigate import __version__
from phigate.journal import chain, zst
from phigate.journal.tree import Range
from phigate.masking.identifiers import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from phigate.masking.secrets import Secrets

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
YEAR: Final = timedelta(days=365)
PLAIN: Final = 2
"""The newest files, which are not compressed yet."""
PATIENTS: Final = 20_000
SUBJECTS: Final = 300
INSTANCE: Final = "gw-1"
ISSUER: Final = "https://login.hospital.example"
_POLICIES: Final = tuple(f"{n:x}" * 64 for n in range(1, 5))
_MODELS: Final = ("ward-assistant", "radiology", "coding", "embedder", "triage")
_ROLES: Final = (
    ("clinician", "treatment"),
    ("coder", "payment"),
    ("researcher", "research"),
    ("clinician", "treatment"),
)
_NOTE: Final = (
    "The patient reports less pain since the change of medication and sleeps through the night again; blood pressure "
    "is stable on the present dose, potassium was low on admission and is back in range after two days of supplements."
)


@dataclass(frozen=True, slots=True)
class Made:
    """What there is to be asked about."""

    records: int
    exchanges: int
    bytes: int
    """Of the lines."""
    stored: int
    """Of the files, as they are."""
    files: int
    patient: str
    """The record number that most exchanges are about."""


@dataclass(slots=True)
class _Writing:
    """The chain as it grows, and the file at hand."""

    folder: Path
    file_size: int
    seq: int = 0
    prev: str = chain.ZEROS
    tree: Range = field(default_factory=Range)
    now: datetime = START
    name: str = ""
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    total: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, kind: chain.Kind, fields: dict[str, Any]) -> None:
        if not self.name:
            self._open()
        self._line(kind, fields)
        if self.size >= self.file_size:
            self.close("rotated")

    def close(self, reason: str) -> None:
        self._line("closed", {"reason": reason})
        (self.folder / self.name).write_bytes(b"".join(self.lines))
        self.names.append(self.name)
        self.name, self.lines, self.size = "", [], 0
        if len(self.names) > PLAIN:
            _compress(self.folder / self.names[-1 - PLAIN])

    def _open(self) -> None:
        follows = {"file": self.names[-1], "hash": self.prev} if self.names else None
        self.name = f"{INSTANCE}-{self.now:%Y%m%dT%H%M%SZ}-{self.seq}.jsonl"
        opened = {"software": __version__, "file": self.name, "follows": follows, "open": {}, "tree": self.tree.texts()}
        self._line("opened", opened | {"key": None, "epoch": "1", "started": not self.names})

    def _line(self, kind: chain.Kind, fields: dict[str, Any]) -> None:
        line = chain.line_of(seq=self.seq, prev=self.prev, now=self.now, instance=INSTANCE, kind=kind, fields=fields)
        self.prev = chain.digest(line)
        self.tree.append(bytes.fromhex(self.prev))
        self.seq += 1
        self.size += len(line)
        self.total += len(line)
        self.lines.append(line)


def make(folder: Path, records: int, secrets: Secrets, *, seed: int = 7, file_size: int = 64 << 20) -> Made:
    """Write the journal into an empty folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    chance = random.Random(seed)  # noqa: S311 -- the same journal each time
    writing, step = _Writing(folder, file_size), YEAR / max(1, records)
    patients = [
        (row.mrn, f"{row.first_name} {row.last_name}") for row in rosters.rows(min(PATIENTS, records + 1), seed)
    ]
    asking, exchanges = _asking(chance, patients, secrets), 0
    while writing.seq < records - 1:
        for kind, fields, pause in next(asking):
            writing.now += step * 2 * pause
            writing.add(kind, fields)
        exchanges += 1
    writing.close("shutdown")
    stored = [path.stat().st_size for path in folder.iterdir()]
    return Made(writing.seq, exchanges, writing.total, sum(stored), len(stored), patients[0][0])


def _asking(
    chance: random.Random, patients: list[tuple[str, str]], secrets: Secrets
) -> Iterator[list[tuple[chain.Kind, dict[str, Any], float]]]:
    """One exchange after the other, each as its records and the pause before each of them."""
    prompts = [_prompt(chance, chance.randint(40, 250)) for _ in range(300)]
    answers = [_answer(chance, chance.randint(40, 300)) for _ in range(300)]
    people = [_person(number, chance) for number in range(SUBJECTS)]
    sessions: dict[str, tuple[str, int]] = {}
    while True:
        person = people[int(SUBJECTS * chance.random() ** 2)]
        session, left = sessions.get(person["id"], ("", 0))
        if not left:
            session, left = f"se-{chance.getrandbits(96):024x}", chance.randint(1, 30)
        sessions[person["id"]] = session, left - 1
        about = [patients[int(len(patients) * chance.random() ** 3)] for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))]
        said = chance.choice(prompts), chance.choice(answers)
        yield _exchange(chance, person, session, about, said, secrets)


def _exchange(  # noqa: PLR0917 -- who, in which session, about whom, and what both sides say
    chance: random.Random,
    person: dict[str, Any],
    session: str,
    about: list[tuple[str, str]],
    said: tuple[Any, Any],
    secrets: Secrets,
) -> list[tuple[chain.Kind, dict[str, Any], float]]:
    exchange, denied = f"ex-{chance.getrandbits(96):024x}", chance.random() < 0.04
    numbers = [identifier("MRN", mrn, secrets) for mrn, _ in about]
    names = [identifier("PERSON", name, secrets) for _, name in about]
    marked = sorted({*numbers, *names})
    seen = person["purpose"] != "research" or chance.random() < 0.01
    action, model = chance.choice(
        (("chat", _MODELS[0]), ("chat", _MODELS[1]), ("chat", _MODELS[2]), ("embed", _MODELS[3]))
    )
    request = {
        "exchange": exchange,
        "session": session,
        "subject": {name: person[name] for name in ("issuer", "id", "roles", "groups")},
        "client": {"ip": person["ip"], "agent": "OpenAI/Python 2.8.1"},
        "action": [action],
        "model": model,
        "dialect": "openai",
        "method": "POST",
        "route": "chat-completions" if action == "chat" else "embeddings",
        "purpose": None if denied else person["purpose"],
        "decision": {
            "verb": "deny" if denied else "permit",
            "rule": None if denied else f"{person['roles'][0]}-{action}",
            "rules": [],
            "reason": "no-rule" if denied else None,
            "ticket": None,
            "grant": None,
        },
        "policy": chance.choice(_POLICIES),
        "findings": {"MRN": len(numbers), "PERSON": len(names), "DATE_TIME": 2} if about else {"DATE_TIME": 1},
        "identifiers": marked,
        "revealed": marked if seen else [],
        "bytes": chance.randint(300, 4000),
        "body": said[0],
    }
    if denied:
        return [("request", request, 1.0)]
    total = 0.2 + chance.expovariate(0.5)
    response = {
        "exchange": exchange,
        "status": 200,
        "outcome": "complete" if chance.random() < 0.98 else "client-left",
        "findings": {"PERSON": len(names), "MRN": len(numbers)} if about else {},
        "identifiers": marked,
        "revealed": numbers if seen else [],
        "mask": person["purpose"],
        "streamed": False,
        "usage": {"input": chance.randint(50, 2000), "output": chance.randint(20, 900)},
        "seconds": {"total": total, "first": None, "upstream": total - 0.004, "gateway": 0.004},
        "body": said[1],
    }
    return [("request", request, 0.8), ("response", response, 0.2)]


def _person(number: int, chance: random.Random) -> dict[str, Any]:
    role, purpose = chance.choice(_ROLES)
    return {
        "issuer": ISSUER,
        "id": f"{role}-{number}@hospital.example",
        "roles": [role],
        "groups": [f"ward-{number % 17}", "staff"],
        "ip": f"192.0.2.{number % 250}",
        "purpose": purpose,
    }


def _text(chance: random.Random, words: int) -> str:
    known = _NOTE.split()
    return "Patient [PERSON], MRN [MRN]. " + " ".join(chance.choice(known) for _ in range(words))


def _prompt(chance: random.Random, words: int) -> Any:
    system = {
        "role": "system",
        "content": "You help the staff of a hospital; answer from the notes that you are given.",
    }
    return {"model": "m", "messages": [system, {"role": "user", "content": _text(chance, words)}]}


def _answer(chance: random.Random, words: int) -> Any:
    message = {"role": "assistant", "content": _text(chance, words)}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def _compress(path: Path) -> None:
    """As the gateway does with a file that is closed."""
    with path.open("rb") as plain:
        pieces = iter(lambda: plain.read(zst.FRAME), b"")
        path.with_name(path.name + zst.SUFFIX).write_bytes(b"".join(zst.packed(pieces)))
    path.unlink()
