"""`phigate conformance`: what a gateway, ours or another, makes of every channel of every protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from phigate.conformance import matrix, tables
from phigate.conformance.prober import Probing, probe
from phigate.conformance.upstream import Upstream
from phigate.terminal import err, fail, say

if TYPE_CHECKING:
    from phigate.conformance.cases import Case
    from phigate.conformance.prober import Cell

SPLITS = {"all": None, "some": 5, "few": 0}


def conformance(  # noqa: PLR0917 -- the options of a command, in the order of its help
    url: Annotated[str, typer.Option("--url", help="The gateway's address.")],
    upstream_port: Annotated[
        int, typer.Option("--upstream-port", min=1, max=65535, help="Listen here as the model server.")
    ],
    bearer: Annotated[
        str, typer.Option("--bearer", envvar="PHIGATE_BEARER", show_envvar=True, help="Sent as `Authorization`.")
    ] = "",
    model: Annotated[str, typer.Option("--model", help="The model that is asked for.")] = "ward-assistant",
    dialects: Annotated[list[str] | None, typer.Option("--dialect", help="Only these; may be repeated.")] = None,
    channels: Annotated[list[str] | None, typer.Option("--channel", help="Only these; may be repeated.")] = None,
    splits: Annotated[str, typer.Option("--splits", help=f"Places at which answers are cut: {', '.join(SPLITS)}.")] = (
        "some"
    ),
    pause: Annotated[float, typer.Option("--pause", min=0, max=1000, help="Milliseconds between two pieces.")] = 1.0,
    *,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the matrix as a Markdown table.")] = False,
) -> None:
    """Probe a gateway: play the model server behind it, and look for identifiers in what it lets through.

    Point the gateway at `http://127.0.0.1:UPSTREAM_PORT`. Ends with 1 when a channel leaks or an answer is broken.
    """
    if splits not in SPLITS:
        raise fail(f"--splits: one of {', '.join(SPLITS)}", 2)
    if unknown := sorted(set(dialects or ()) - set(tables.DIALECTS)):
        raise fail(f"--dialect: no `{unknown[0]}`; there are {', '.join(tables.DIALECTS)}", 2)
    cases = [each for each in tables.CASES if each.dialect in (dialects or tables.DIALECTS)]
    if channels:
        cases = [each for each in cases if each.channel in channels]
    if not cases:
        raise fail("--channel: none of these dialects has it", 2)
    probing = Probing(url, bearer, model, SPLITS[splits], pause / 1000)
    try:
        cells = asyncio.run(_probe(probing, upstream_port, cases))
    except OSError as error:
        raise fail(f"port {upstream_port}: {(error.strerror or 'cannot listen').lower()}") from None
    say(matrix.markdown(cells) if as_markdown else matrix.table(cells))
    for fault in matrix.faults(cells):
        say(fault, err)
    say(f"{len(cells)} cells, {sum(cell.verdicts.total() for cell in cells)} exchanges: {matrix.counted(cells)}", err)
    if matrix.failed(cells):
        raise typer.Exit(1)


async def _probe(probing: Probing, port: int, cases: list[Case]) -> list[Cell]:
    async with Upstream(port) as upstream:
        with err.status("probing") as status:
            return await probe(
                probing, upstream, cases, lambda cell: status.update(f"probing: {cell.case.name}: {cell.kind}")
            )
