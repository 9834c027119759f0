"""The matrix against the real gateway: every channel of every protocol, a few cuts of each."""

import asyncio
import re
from collections import Counter

import pytest

from phigate.conformance import matrix, tables
from phigate.conformance.prober import Probing, probe
from phigate.conformance.upstream import Upstream
from processes import ROOT, Gateway, free_port

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

SPOKEN = ("openai chat", "openai completions", "openai embeddings", "anthropic")
"""The protocols that the gateway speaks: their channels are masked or left out, not refused."""
REFUSED = {("anthropic", "an event nobody knows")}
"""Channels of these that it refuses all the same."""
COUNTED = re.compile(r"(?<=[A-Za-z]) \d+/\d+(?= \|)")
SHOWN = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
KNOWN = {
    "openai chat / id / whole: LEAK",  # an identifier behind `chatcmpl-` is taken for a part of the id
    "openai chat / id / stream: LEAK",
    "openai chat / tool_calls name / stream: LEAK",  # of a name in single characters the first go out
    "anthropic / a field nobody knows / stream: LEAK",  # of a ping, in single characters
}
"""What is wrong and known to be: nothing else may be."""


@pytest.fixture(scope="module")
def cells(issuer, policy, tmp_path_factory):
    port = free_port()

    async def run(gateway):
        async with Upstream(port) as upstream:
            return await probe(Probing(gateway.url, issuer.mint_for("dr.okafor"), limit=0), upstream, tables.CASES)

    with Gateway(f"http://127.0.0.1:{port}", policy, tmp_path_factory.mktemp("conformance")) as gateway:
        return asyncio.run(run(gateway))


def test_nothing_leaks_and_nothing_breaks(cells):
    assert [fault for fault in matrix.faults(cells) if fault.rsplit(": ", 2)[0] not in KNOWN] == []


def test_the_channels_of_a_spoken_protocol_are_masked_or_left_out(cells):
    spoken = [
        cell for cell in cells if cell.case.dialect in SPOKEN and (cell.case.dialect, cell.case.channel) not in REFUSED
    ]
    others = {cell.case.name: cell.examples[cell.kind] for cell in spoken if cell.kind in {"refused", "emptied"}}
    assert others == {}
    assert Counter(cell.kind for cell in spoken)["masked"] > 50
    assert not {name for name in SPOKEN if not [cell for cell in spoken if cell.case.dialect == name]}


def test_the_page_shows_what_the_gateway_does(cells):
    """Of each channel the kind of its verdict; the runs that are counted beside it depend on the cuts."""
    shown = {tuple(row[:2]): row for row in map(_row, SHOWN.splitlines()) if len(row) == len(matrix.COLUMNS)}
    rows = [_row(line) for line in matrix.markdown(cells).splitlines()]
    assert [row for row in rows if row[0] in SPOKEN and row != shown.get(tuple(row[:2]))] == []
    assert [row for row in rows if tuple(row[:2]) not in shown] == []


def _row(line):
    return [cell.strip() for cell in COUNTED.sub("", line).strip("|").split(" | ")]
