"""Which records a body becomes: nothing of it is left out, and what is sealed comes back whole."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.capture import keep
from phigate.capture.keep import Keep
from phigate.capture.seal import Auditor, Place, opened
from phigate.journal import commit, read
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown, open_journal
from tests.journal.samples import Clock, request, response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from phigate.journal.writer import Journal as RealJournal

PRIVATE = X25519PrivateKey.from_private_bytes(b"a" * 32)
SEALED = Keep("sealed", Auditor(PRIVATE.public_key()))


class Journal:
    """A journal's two methods that matter here, in memory."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.waited: list[int] = []
        self.told: list[str] = []
        self.space = "enough"

    def append(self, kind: str, fields: dict[str, Any] | Callable[[str, int], dict[str, Any]]) -> int:
        made = fields("f.jsonl", len(self.records)) if callable(fields) else fields
        self.records.append(made | {"kind": kind})
        return len(self.records)

    async def durable(self, receipt: int) -> None:
        self.waited.append(receipt)

    def given_up(self, _receipts: object) -> None:
        self.told.append("given up")

    def withheld(self, _response: object) -> None:
        self.told.append("withheld")


def fields(body: object, parts: int = 0) -> dict[str, Any]:
    return {"exchange": "ex-1", "parts": parts, "body": body}


def unsealed(journal: Journal, side: str = "caller") -> bytes:
    return b"".join(
        opened(one["sealed"], PRIVATE, Place("f.jsonl", seq, "ex-1", one["kind"], side, one.get("part")))
        for seq, one in enumerate(journal.records)
        if "sealed" in one
    )


async def written(kept: Keep, body: object, original: bytes = b"", **more: Any) -> Journal:
    journal = Journal()
    await kept.record(journal, "request", fields(body), side="caller", original=original, **more)  # type: ignore[arg-type]  # a stand-in
    return journal


async def test_a_small_body_stands_in_its_record() -> None:
    journal = await written(Keep(), {"a": 1}, b"unseen")
    assert journal.records == [{"kind": "request", "exchange": "ex-1", "parts": 0, "body": {"a": 1}}]


async def test_where_no_bodies_are_kept_there_is_none() -> None:
    journal = await written(Keep("none"), {"a": "x" * keep.MOST})
    assert journal.records == [{"kind": "request", "exchange": "ex-1", "parts": 0, "body": None}]


async def test_a_large_body_stands_in_parts_and_its_record_says_how_many() -> None:
    body = {"text": "\u00e4\U0001f600" * keep.MOST}
    journal = await written(Keep(), body, first=3)
    *parts, record = journal.records
    assert (record["body"], record["parts"]) == (None, len(parts))
    assert [part["part"] for part in parts] == list(range(3, 3 + len(parts)))
    assert max(len(part["body"]) for part in parts) == keep.MOST
    assert orjson.loads("".join(part["body"] for part in parts)) == body
    assert journal.waited[-1] == len(journal.records)


async def test_every_part_of_a_very_large_body_is_waited_for_and_not_all_at_once() -> None:
    ahead: list[int] = []

    class Slow(Journal):
        async def durable(self, receipt: int) -> None:
            ahead.append(len(self.records) - receipt)
            await super().durable(receipt)

    journal = Slow()
    await Keep().record(journal, "request", fields("x" * (keep.MOST * 40)), side="caller")  # type: ignore[arg-type]  # a stand-in
    assert journal.waited == list(range(1, 43))
    assert max(ahead) < keep.AHEAD


async def test_parts_of_what_is_refused_take_no_space_that_is_scarce() -> None:
    journal = Journal()
    journal.space = "scarce"
    with pytest.raises(JournalDown, match="nearly full"):
        await Keep().record(journal, "request", fields("x" * keep.MOST * 2), side="caller")  # type: ignore[arg-type]  # a stand-in
    assert journal.records == []
    await Keep().record(journal, "response", fields("x" * keep.MOST * 2), side="model")  # type: ignore[arg-type]  # a stand-in
    assert journal.records[-1]["kind"] == "response"


@pytest.mark.parametrize("size", [1, 100, 101, 1000])
@pytest.mark.parametrize("body", [None, "small", "x" * 350])
async def test_originals_come_back_whole_beside_bodies_of_any_size(
    monkeypatch: pytest.MonkeyPatch, size: int, body: str | None
) -> None:
    monkeypatch.setattr(keep, "MOST", 100)
    original = bytes(range(256)) * 4
    journal = await written(SEALED, body, original[:size])
    *parts, record = journal.records
    assert unsealed(journal) == original[:size]
    assert (record["parts"], record["body"] is None) == (
        len(parts),
        (len(parts) > 0 and len(body or "") > 100) or body is None,
    )
    told = "".join(part["body"] for part in parts)
    assert (orjson.loads(told) if told else record["body"]) == body


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.text() | st.integers(-5, 5) | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_whatever_a_body_is_its_parts_are_all_of_it(body: object) -> None:
    kept, most = Keep(), keep.MOST
    journal = Journal()
    try:
        keep.MOST = 7  # type: ignore[misc]  # small bodies are enough here
        count = kept.queue(journal, "message", fields(body), side="model")  # type: ignore[arg-type]  # a stand-in
    finally:
        keep.MOST = most  # type: ignore[misc]  # as above
    *parts, record = journal.records
    assert count == len(parts) == record["parts"]
    told = "".join(part["body"] for part in parts)
    assert (orjson.loads(told) if told else record["body"]) == body


def test_pieces_of_a_stream_are_parts_of_the_model() -> None:
    journal = Journal()
    SEALED.part(journal, "ex-1", 4, "masked", original=b"as it was")  # type: ignore[arg-type]  # a stand-in
    (part,) = journal.records
    assert (part["kind"], part["part"], part["side"], part["body"]) == ("part", 4, "model", "masked")
    assert unsealed(journal, "model") == b"as it was"


async def test_what_is_left_of_a_stream_adds_to_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "MOST", 100)
    journal = Journal()
    await SEALED.record(journal, "response", fields(None, parts=5), side="model", original=bytes(250), first=5)  # type: ignore[arg-type]  # a stand-in
    assert [one.get("part") for one in journal.records] == [5, 6, 7, None]
    assert journal.records[-1]["parts"] == 8
    assert unsealed(journal, "model") == bytes(250)


@pytest.mark.parametrize("body", [object(), {"a": {1, 2}}, "\ud800"])
async def test_what_is_no_json_is_not_recorded(body: object) -> None:
    with pytest.raises(Unrecordable):
        await written(Keep(), body)


@pytest.mark.parametrize(("bodies", "auditor"), [("sealed", None), ("masked", Auditor(PRIVATE.public_key()))])
def test_sealing_and_its_key_come_together(bodies: str, auditor: Auditor | None) -> None:
    with pytest.raises(ValueError, match="key"):
        Keep(bodies, auditor)


def test_it_says_what_it_wants() -> None:
    assert [(kept.keeps, kept.seals) for kept in (Keep("none"), Keep(), SEALED)] == [
        (False, False), (True, False), (True, True),
    ]  # fmt: skip


# -- an answer whose parts are not kept is withheld, and on record as withheld ----------------------------------------


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealJournal]:
    opened = open_journal(tmp_path / "journal", "gw", Clock())
    yield opened
    opened.close("test over")


LARGE: dict[str, Any] = {"body": ["x" * keep.MOST], "parts": 0, "streamed": False}


def responses(journal: RealJournal) -> list[tuple[int, str, object]]:
    """Those in the file that is written: what stands unacknowledged in one that the disk lost does not count."""
    entries = [item for item in read.entries(journal.path) if isinstance(item, read.Entry)]
    records = [entry.record for entry in entries if entry.record["kind"] == "response"]
    return [(record["status"], record["outcome"], record.get("body")) for record in records]


async def until_it_says(journal: RealJournal, wanted: list[tuple[int, str, object]]) -> None:
    end = time.monotonic() + 5
    while responses(journal) != wanted and time.monotonic() < end:
        journal.inspect()
        await asyncio.sleep(0.005)
    assert responses(journal) == wanted


async def nothing_is_open(journal: RealJournal) -> bool:
    await journal.durable(journal.append("look", {}))
    journal.snapshot()
    return journal._course.kept.open == {}


async def asked(journal: RealJournal) -> None:
    await journal.durable(journal.append("request", request("ex-1")))
    journal.snapshot()
    assert list(journal._course.kept.open) == ["ex-1"]


async def test_an_answer_whose_parts_the_disk_lost_is_not_told_as_complete(
    real: RealJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asked(real)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "x")

    monkeypatch.setattr(real._course.commit, "_sync", fail)
    with pytest.raises(JournalDown):
        await Keep().record(real, "response", response("ex-1") | LARGE, side="model")
    await until_it_says(real, [(503, "unrecorded", None)])
    parts = [entry.file for entry in read.records(real.folder) if entry.record["kind"] == "part"]
    assert real.path.name not in parts, "what was withheld is not told again"
    assert await nothing_is_open(real)


async def test_an_answer_whose_parts_came_too_late_is_told_as_withheld(
    real: RealJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asked(real)
    gate, sync = threading.Event(), real._course.commit._sync

    def stalled(descriptor: int) -> None:
        gate.wait(5)
        sync(descriptor)

    monkeypatch.setattr(real._course.commit, "_sync", stalled)
    monkeypatch.setattr(commit, "STALL", 0.05)
    with pytest.raises(JournalDown):
        await Keep().record(real, "response", response("ex-1") | LARGE, side="model")
    gate.set()
    await until_it_says(real, [(200, "complete", None), (503, "unrecorded", None)])


async def test_a_request_whose_parts_came_too_late_is_told_as_refused(
    real: RealJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, sync = threading.Event(), real._course.commit._sync

    def stalled(descriptor: int) -> None:
        gate.wait(5)
        sync(descriptor)

    monkeypatch.setattr(real._course.commit, "_sync", stalled)
    monkeypatch.setattr(commit, "STALL", 0.05)
    with pytest.raises(JournalDown):
        await Keep().record(real, "request", request("ex-1") | LARGE, side="caller")
    gate.set()
    await until_it_says(real, [(503, "unrecorded", None)])
    assert await nothing_is_open(real)


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("request", request("ex-1") | LARGE, [(503, "unrecorded", None)]),
        ("response", response("ex-1") | LARGE, [(200, "complete", None), (503, "unrecorded", None)]),
    ],
    ids=["request", "response"],
)
async def test_what_was_cancelled_while_it_was_recorded_is_told_as_withheld(
    real: RealJournal, monkeypatch: pytest.MonkeyPatch, kind: Any, fields: Any, told: Any
) -> None:
    if kind == "response":
        await asked(real)
    gate, sync = threading.Event(), real._course.commit._sync

    def stalled(descriptor: int) -> None:
        gate.wait(5)
        sync(descriptor)

    monkeypatch.setattr(real._course.commit, "_sync", stalled)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Keep().record(real, kind, fields, side="caller"), 0.05)
    gate.set()
    await until_it_says(real, told)
    assert await nothing_is_open(real)


async def test_an_answer_that_no_line_can_hold_is_told_as_withheld(real: RealJournal) -> None:
    await asked(real)
    with pytest.raises(Unrecordable):
        await Keep().record(real, "response", response("ex-1") | {"body": "\ud800", "parts": 0}, side="model")
    await until_it_says(real, [(503, "unrecorded", None)])


async def test_an_answer_with_more_findings_than_a_line_can_hold_still_has_an_end(real: RealJournal) -> None:
    await asked(real)
    found = {"body": None, "parts": 0, "identifiers": ["\ud800"]}
    with pytest.raises(Unrecordable):
        await Keep().record(real, "response", response("ex-1") | found, side="model")
    await until_it_says(real, [(503, "unrecorded", None)])
