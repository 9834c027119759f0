from __future__ import annotations

import builtins
import io
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from phigate.audit.export import parquet, tables
from phigate.audit.export.happenings import EXCHANGE
from tests.audit.export import happened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from phigate.audit.export.happenings import Happening


@pytest.fixture
def exchanges(tmp_path: Path) -> list[Happening]:
    return [each for each in happened.happenings(tmp_path) if each.kind == EXCHANGE]


def test_what_was_written_is_read_back(exchanges: list[Happening]) -> None:
    out = io.BytesIO()
    assert parquet.write_parquet(exchanges, out) == len(exchanges)
    table = pq.read_table(io.BytesIO(out.getvalue()))
    back = [
        {**row, **{name: dict(row[name]) for name in row if name.startswith("found_")}} for row in table.to_pylist()
    ]
    assert back == [tables.row(each) for each in exchanges]
    types = {field.name: str(field.type) for field in table.schema}
    assert types["started"] == "timestamp[us, tz=UTC]"
    assert (types["bytes"], types["seconds_total"], types["held"]) == ("int64", "double", "bool")
    assert types["roles"].startswith("list<")
    assert types["found_in_prompt"].startswith("map<string, int64")


def test_rows_are_written_a_group_at_a_time(exchanges: list[Happening]) -> None:
    taken: list[int] = []

    class Pipe(io.RawIOBase):
        """Says how many exchanges were taken when it is written to, and where it stands to nobody."""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            taken.append(count)
            whole.write(data)
            return len(data)

    count, whole = 0, io.BytesIO()

    def fed() -> Iterator[Happening]:
        nonlocal count
        for each in exchanges:
            count += 1
            yield each

    parquet.write_parquet(fed(), Pipe(), group=3)
    assert {3, 6, 9} <= set(taken)
    assert pq.ParquetFile(io.BytesIO(whole.getvalue())).num_row_groups == (len(exchanges) + 2) // 3


def test_without_the_library_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return there(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(parquet.Missing, match=r"install phigate\[parquet\]"):
        parquet.write_parquet([], io.BytesIO())
