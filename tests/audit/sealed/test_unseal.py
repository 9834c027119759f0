"""Sealed originals open with the auditor's key, and only once the look is on record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from phigate.audit import look
from phigate.audit.sealed import unseal
from phigate.capture import keep
from phigate.capture.keep import Keep
from phigate.capture.seal import Auditor
from phigate.journal import read
from phigate.journal.writer import open_journal

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = X25519PrivateKey.from_private_bytes(b"a" * 32)
PROMPT = b'{"messages":[{"role":"user","content":"MRN 77310042"}]}'
PIECES = (b'data: {"a":"MRN ', b'77310042"}\n\n')


def fields(exchange: str, **more: Any) -> dict[str, Any]:
    return {"exchange": exchange, "parts": 0, "body": {"text": "[MRN]"}, **more}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal with three exchanges: one streamed, one with messages, one in many parts, and one unsealed."""
    monkeypatch.setattr(keep, "MOST", 40)
    sealed = Keep("sealed", Auditor(PRIVATE.public_key()))
    made = tmp_path / "journal"
    journal = open_journal(made, "gw", lambda: datetime.now(UTC))
    sealed.queue(journal, "request", fields("ex-1"), side="caller", original=PROMPT)
    for number, piece in enumerate(PIECES):
        sealed.part(journal, "ex-1", number, "[MRN]", original=piece)
    sealed.queue(journal, "response", fields("ex-1", parts=2), side="model", original=b"data: [DONE]\n\n", first=2)
    sealed.queue(journal, "message", fields("ex-2", **{"from": "caller"}), side="caller", original=b"said")
    sealed.queue(journal, "message", fields("ex-2", **{"from": "model"}), side="model", original=b"heard")
    sealed.part(journal, "ex-3", 0, "[MRN]", original=b"cut off")
    Keep().queue(journal, "request", fields("ex-4"), side="caller", original=PROMPT)
    journal.close("test over")
    return made


def opened(folder: Path, exchange: str, private: X25519PrivateKey = PRIVATE) -> list[unseal.Original]:
    return unseal.originals(folder, exchange, private, "complaint 12")


def test_what_both_sides_said_comes_back_whole(folder: Path) -> None:
    asked, answered = opened(folder, "ex-1")
    assert (asked.side, asked.kind, asked.data, asked.faults) == ("caller", "request", PROMPT, ())
    assert (answered.side, answered.kind, answered.data) == (
        "model",
        "response",
        b"".join(PIECES) + b"data: [DONE]\n\n",
    )


def test_each_message_is_an_original_of_its_own(folder: Path) -> None:
    assert [(one.side, one.data) for one in opened(folder, "ex-2")] == [("caller", b"said"), ("model", b"heard")]


def test_a_stream_that_never_ended_opens_as_far_as_it_came(folder: Path) -> None:
    assert [(one.kind, one.data) for one in opened(folder, "ex-3")] == [("response", b"cut off")]


@pytest.mark.parametrize("exchange", ["ex-4", "ex-9"])
def test_where_nothing_is_sealed_there_is_nothing(folder: Path, exchange: str) -> None:
    assert opened(folder, exchange) == []


def test_the_look_is_on_record_first_with_its_reason(folder: Path) -> None:
    opened(folder, "ex-1")
    (found,) = [entry.record for entry in read.records(folder) if entry.record["kind"] == "look"]
    assert (found["command"], found["about"], found["reason"]) == ("unseal", {"exchange": "ex-1"}, "complaint 12")


def test_without_a_look_nothing_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise look.Unrecorded("no")

    monkeypatch.setattr(look, "record", refuses)
    monkeypatch.setattr(unseal, "opened", lambda *_: pytest.fail("opened"))
    with pytest.raises(look.Unrecorded):
        opened(folder, "ex-1")


def test_another_key_opens_nothing_and_says_so(folder: Path) -> None:
    found = opened(folder, "ex-1", X25519PrivateKey.generate())
    assert {one.data for one in found} == {b""}
    assert all("another key" in fault for one in found for fault in one.faults)


def test_what_was_moved_to_another_file_exchange_or_place_says_so(folder: Path) -> None:
    found = list(unseal.records(folder, "ex-1"))
    for change in ({"file": "gw-20200101T000000Z-0.jsonl"}, {"exchange": "ex-2"}, {"seq": 99}):
        (asked, *_) = unseal.unsealed([record | change for record in found], PRIVATE)
        assert asked.data == b""
        assert "moved" in asked.faults[0]
        assert "77310042" not in str(asked.faults)


def test_one_changed_part_does_not_keep_the_others_closed(folder: Path) -> None:
    found = list(unseal.records(folder, "ex-1"))
    (part,) = [
        record for record in found if record["kind"] == "part" and record["side"] == "model" and not record["part"]
    ]
    text = part["sealed"]
    part["sealed"] = text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:]
    *_, answered = unseal.unsealed(found, PRIVATE)
    assert answered.data == PIECES[1] + b"data: [DONE]\n\n"
    assert (len(answered.faults), "was changed" in answered.faults[0]) == (1, True)


def test_nothing_of_an_original_stands_in_the_files(folder: Path) -> None:
    for file in read.files(folder):
        for line in read.lines(file.path):
            assert b"77310042" not in line
            assert orjson.loads(line)
