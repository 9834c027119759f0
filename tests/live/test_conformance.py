"""The matrix against the real gateway: every channel of every protocol, a few cuts of each."""

import asyncio
from collections import Counter

import pytest

from phigate.conformance import matrix, tables
from phigate.conformance.prober import Probing, probe
from phigate.conformance.upstream import Upstream
from processes import Gateway, free_port

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

SPOKEN = ("openai chat",)
"""The protocols that the gateway speaks: their channels are masked or left out, not refused."""
REFUSED = {"content, gzip"}
"""Channels of these that it refuses all the same."""
KNOWN = {
    "openai chat / id / whole: LEAK",  # an identifier behind `chatcmpl-` is taken for a part of the id
    "openai chat / tool_calls name / stream: LEAK",  # a name in single characters, some of which are no word's
    "openai chat / tool_calls name / stream: BROKEN",
}
"""What is wrong and known to be: nothing else may be."""


@pytest.fixture(scope="module")
def cells(issuer, policy, tmp_path_factory):
    port = free_port()

    async def run(gateway):
        async with Upstream(port) as upstream:
            return await probe(Probing(gateway.url, issuer.mint_for("dr.okafor"), limit=1), upstream, tables.CASES)

    with Gateway(f"http://127.0.0.1:{port}", policy, tmp_path_factory.mktemp("conformance")) as gateway:
        return asyncio.run(run(gateway))


def test_nothing_leaks_and_nothing_breaks(cells):
    assert [fault for fault in matrix.faults(cells) if fault.rsplit(": ", 2)[0] not in KNOWN] == []


def test_the_channels_of_a_spoken_protocol_are_masked_or_left_out(cells):
    spoken = [cell for cell in cells if cell.case.dialect in SPOKEN and cell.case.channel not in REFUSED]
    others = {cell.case.name: cell.examples[cell.kind] for cell in spoken if cell.kind in {"refused", "emptied"}}
    assert others == {}
    assert Counter(cell.kind for cell in spoken)["masked"] > 50
    assert not {name for name in SPOKEN if not [cell for cell in spoken if cell.case.dialect == name]}


def test_what_is_refused_reaches_no_model_server_or_is_an_answer_that_cannot_be_read(cells):
    refused = Counter(cell.examples["refused"].rpartition(" ")[2] for cell in cells if cell.kind == "refused")
    assert refused.keys() <= {"404", "502"}
