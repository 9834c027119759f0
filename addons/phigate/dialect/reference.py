"""Every route of every dialect in tables, printed from the tables themselves: `python -m phigate.dialect.reference`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from phigate.dialect.known import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.dialect.routes import Route
    from phigate.dialect.table import Dialect

_HEAD = ("route", "action", "streamed as", "model named in")
_ASKS = {"always": "always", "unless": "unless told not to", "stream": "where asked", "either": "as the server likes"}


def page() -> str:
    """The tables, as Markdown: a heading a dialect, its routes, and what of its messages does not go out."""
    return "\n".join(line for dialect in DIALECTS.values() if dialect.routes for line in _dialect(dialect))


def _dialect(dialect: Dialect) -> Iterator[str]:
    yield f"### `{dialect.name}`"
    yield ""
    yield _line(_HEAD)
    yield _line(["---"] * len(_HEAD))
    for route in dialect.routes:
        yield _line(_row(route))
    yield ""
    fields = dialect.answer
    if fields.drop:
        yield f"Left out of answers: {_listed(fields.drop)}."
        yield ""
    if fields.blank:
        yield f"Emptied in answers: {_listed(fields.blank)}."
        yield ""


def _row(route: Route) -> tuple[str, ...]:
    path = f"`{route.method} {route.path}`" + (f" with `{route.when}`" if route.when else "")
    stream = f"`{route.stream.media}`, {_ASKS['always' if route.talk else route.asks]}" if route.stream else ""
    named = "the path" if "{model}" in route.path else f"`{route.model_key}`" if route.model_key else ""
    return path, f"`{route.action}`", stream, named


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in sorted(keys))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
