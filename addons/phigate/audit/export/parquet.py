"""Parquet for analytics: typed columns, one row an exchange, a row group at a time; needs `phigate[parquet]`."""

from __future__ import annotations

from itertools import batched
from typing import IO, TYPE_CHECKING, Any, Final

from phigate import __version__
from phigate.audit.export.tables import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.audit.export.happenings import Happening

GROUP: Final = 10_000
"""Rows of a row group: what is in memory at once."""


class Missing(Exception):  # noqa: N818 -- it names what is missing
    """The library that writes Parquet is not installed; the message says how it is."""


def write_parquet(happenings: Iterable[Happening], out: IO[bytes], group: int = GROUP) -> int:
    """A file with the columns of tables.py; the number of rows. Raises Missing."""
    try:
        import pyarrow as pa  # noqa: PLC0415 -- an optional extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise Missing("Parquet needs pyarrow: install phigate[parquet]") from None
    schema = pa.schema([(column.name, _types(pa)[column.type]) for column in COLUMNS], {"phigate": __version__})
    count = 0
    with pq.ParquetWriter(_Counted(out), schema, compression="zstd") as writer:
        for chunk in batched(happenings, group, strict=False):
            values = ([column.value(happening) for happening in chunk] for column in COLUMNS)
            arrays = [pa.array(each, kind) for each, kind in zip(values, schema.types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=group)
            count += len(chunk)
    return count


class _Counted:
    """A file that says how much was written to it: a pipe has no place to tell."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        self._size += self._file.write(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Left open: whoever opened it closes it."""


def _types(pa: Any) -> dict[str, Any]:
    """By the words of tables.Column."""
    text = pa.string()
    return {
        "text": text,
        "list": pa.list_(text),
        "counts": pa.map_(text, pa.int64()),
        "integer": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
