from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phigate.audit.export import feed, fhir
from phigate.audit.export.feed import State, StateFault
from phigate.audit.export.fhir_post import Repository, Undelivered
from phigate.audit.export.write import Question
from phigate.audit.index.database import open_index
from phigate.audit.index.exchanges import Wanted
from phigate.journal import chain
from tests.audit.export import happened
from tests.audit.export.happened import request, response
from tests.audit.export.repository import Kept, repository
from tests.journal.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOON = NOW.timestamp() + 7200.0
"""After all that is in the journal, and not a day after it."""


@pytest.fixture
def kept() -> Iterator[Kept]:
    with repository() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return happened.journal(tmp_path / "journal")


def fed(
    folder: Path, kept: Kept, state: State, *, now: float = SOON, batch: int = 100, saved: Path | None = None
) -> None:
    question = Question(Wanted(until=now - feed.SETTLE))
    with open_index(folder) as index, Repository(kept.url, batch=batch, wait=lambda _: None) as to:
        feed.run(
            question.happenings(index, state.through),
            feed.waiting(index, state),
            to,
            state,
            now=now,
            keep=lambda one: feed.write(saved, one) if saved else None,
        )


def append(folder: Path, *rows: tuple[chain.Kind, Any]) -> None:
    path = folder / "gw-20261123T150405Z-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    seq, prev = len(lines), chain.digest(lines[-1])
    with path.open("ab") as file:
        for kind, fields in rows:
            now = NOW.fromtimestamp(SOON - 60.0, NOW.tzinfo)
            line = chain.line_of(seq=seq, prev=prev, now=now, instance="gw", kind=kind, fields=fields)
            file.write(line)
            seq, prev = seq + 1, chain.digest(line)


def all_but(folder: Path, *exchanges: str) -> set[str]:
    found = [each for each in happened.happenings(folder) if each.row.get("exchange") not in exchanges]
    return {resource["id"] for each in found for resource in fhir.resources(each)}


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_all_but_what_is_open_goes_once_and_what_is_new_goes_next(folder: Path, kept: Kept, batch: int) -> None:
    state = State({})
    fed(folder, kept, state, batch=batch)
    assert set(kept.events) == all_but(folder, "open")
    assert state.open == ["open"]
    assert max(kept.sizes) <= batch
    kept.seen.clear()
    fed(folder, kept, state, batch=batch)
    assert not kept.seen
    append(
        folder,
        ("response", response("open")),
        ("request", request("new", decision=happened.decision("deny", None, "no-rule"))),
    )
    fed(folder, kept, state, batch=batch)
    assert set(kept.events) == all_but(folder)
    assert len(kept.seen) == 2
    assert state.open == []


def test_it_goes_on_where_it_broke_off(folder: Path, kept: Kept, tmp_path: Path) -> None:
    saved, question = tmp_path / "state", {"to": kept.url}
    kept.entry_answers = {sorted(all_but(folder, "open"))[7]: [503] * 6}
    with pytest.raises(Undelivered):
        fed(folder, kept, feed.read(saved, question), batch=2, saved=saved)
    before = dict(kept.seen)
    assert 0 < len(kept.events) < len(all_but(folder, "open"))
    fed(folder, kept, feed.read(saved, question), batch=2, saved=saved)
    assert set(kept.events) == all_but(folder, "open")
    twice = [id_ for id_, count in kept.seen.items() if before.get(id_) and count > before[id_]]
    assert len(twice) <= 4  # those of the batch that broke off


def test_what_is_open_for_a_day_goes_as_it_stands(folder: Path, kept: Kept) -> None:
    state = State({})
    fed(folder, kept, state)
    fed(folder, kept, state, now=SOON + feed.OLD)
    assert set(kept.events) == all_but(folder)
    assert state.open == []
    assert "no answer on record yet" in {event["outcomeDesc"] for event in kept.events.values()}


def test_several_at_the_same_moment_go_once_each(folder: Path, kept: Kept) -> None:
    state = State({})
    denied = happened.decision("deny", None, "no-rule")
    append(folder, ("request", request("a", decision=denied)))
    fed(folder, kept, state)
    kept.seen.clear()
    append(folder, ("request", request("b", decision=denied)))  # at the very moment of the last
    fed(folder, kept, state)
    assert sum(kept.seen.values()) == 1
    assert set(kept.events) == all_but(folder, "open")


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, question = tmp_path / "state", {"to": "https://audit.example", "filters": {"role": "clinician"}}
    state = State(question, 1795446248.123456, ["a"], ["b"])
    feed.write(path, state)
    assert feed.read(path, question) == state
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_a_state_of_another_question_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    feed.write(path, State({"to": "https://audit.example"}))
    with pytest.raises(StateFault, match="of another repository, or of another question"):
        feed.read(path, {"to": "https://elsewhere.example"})


@pytest.mark.parametrize("raw", [b"", b"7", b'{"version":2}', b'{"version":1,"question":{}}'])
def test_what_is_no_state_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "state").write_bytes(raw)
    with pytest.raises(StateFault):
        feed.read(tmp_path / "state", {})


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateFault, match="no such file"):
        feed.write(tmp_path / "nowhere" / "state", State({}))
