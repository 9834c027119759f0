"""The matrix against the real gateway: every channel of every protocol, a few cuts of each."""

import asyncio
import re
from collections import Counter

import pytest

from people import policy_for
from phigate.conformance import matrix, tables
from phigate.conformance.prober import Probing, probe
from phigate.conformance.upstream import Upstream
from processes import ROOT, Gateway, free_port

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

REFUSED = {
    "openai responses": {
        *("stored response", "stored input", "audio data", "partial image"),
        *("an event nobody knows", "an event nobody knows, nested"),
    },
    "openai chat": {"id", "tool_calls name"},  # in single characters: constants do not come in pieces
    "anthropic": {"an event nobody knows"},
    "mcp": {"tool resource blob", "tool image", "resource blob"},
    "tgi": {"tokenize"},
    "cohere": {"a field nobody knows", "an event nobody knows"},
    "kserve": {"tokens as INT64", "octets as UINT8"},
    "llama.cpp": {"tokenize pieces", "slots"},
    "vllm": {"detokenize prompt", "chat render", "inference token_ids", "demo server, cumulative"},
}
"""Channels of protocols that the gateway speaks which it refuses all the same: what nobody can read, or should."""
SILENT = {"openai stored"}
"""Protocols that it does not speak; of all others the channels are masked or left out, not refused."""
SPOKEN = set(tables.DIALECTS) - SILENT
COUNTED = re.compile(r"(?<=[A-Za-z]) \d+/\d+(?= \|)")
SHOWN = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
USUAL = "to: [chat, complete, embed]\n"
ALL = "to: [chat, complete, embed, transcribe, rank, predict, manage-models]\n"
"""What the rule of the sample policy permits, and what this one does, so that every protocol is masked by it."""
RECORDINGS = "openai audio"
"""The protocol whose requests hold what nobody can read: its texts are looked at under a rule that lets that by."""
LISTS = "  - name: everyone-lists-models\n"
LETTING = (
    "  - {name: recordings, permit: [researcher], to: [transcribe], models: ['*'], mask: safe-harbor, opaque: permit}\n"
)


@pytest.fixture(scope="module")
def cells(issuer, tmp_path_factory):
    """Each cell; those of spoken protocols a second time where they were refused.

    On a busy machine a record may take longer to be on the disk than a stream may wait for it, which ends the stream.
    """
    port = free_port()

    async def all_of(upstream, url, cases):
        found = []
        for who, theirs in (("dr.okafor", False), ("sam.lindqvist", True)):
            probing = Probing(url, issuer.mint_for(who), limit=0)
            found += await probe(probing, upstream, [case for case in cases if (case.dialect == RECORDINGS) is theirs])
        return found

    async def run(gateway):
        async with Upstream(port) as upstream:
            found = await all_of(upstream, gateway.url, tables.CASES)
            again = [cell.case for cell in found if cell.kind == "refused" and _spoken(cell.case)]
            second = {cell.case.name: cell for cell in await all_of(upstream, gateway.url, again)}
        return [second.get(cell.case.name, cell) for cell in found]

    policy = policy_for(issuer.url, tmp_path_factory.mktemp("policy"))
    policy.write_text(policy.read_text().replace(USUAL, ALL).replace(LISTS, LETTING + LISTS))
    with Gateway(f"http://127.0.0.1:{port}", policy, tmp_path_factory.mktemp("conformance")) as gateway:
        return asyncio.run(run(gateway))


def _spoken(case):
    return case.dialect in SPOKEN and case.channel not in REFUSED.get(case.dialect, ())


def test_nothing_leaks_and_nothing_breaks(cells):
    assert list(matrix.faults(cells)) == []


def test_the_channels_of_a_spoken_protocol_are_masked_or_left_out(cells):
    spoken = [cell for cell in cells if _spoken(cell.case)]
    others = {cell.case.name: cell.examples[cell.kind] for cell in spoken if cell.kind in {"refused", "emptied"}}
    assert others == {}
    assert Counter(cell.kind for cell in spoken)["masked"] > 250
    assert {cell.case.dialect for cell in spoken} == SPOKEN


def test_the_page_shows_what_the_gateway_does(cells):
    """Of each channel the kind of its verdict; the runs that are counted beside it depend on the cuts."""
    shown = {tuple(row[:2]): row for row in map(_row, SHOWN.splitlines()) if len(row) == len(matrix.COLUMNS)}
    rows = [_row(line) for line in matrix.markdown(cells).splitlines()]
    assert [row for row in rows if row[0] in SPOKEN and row != shown.get(tuple(row[:2]))] == []
    assert [row for row in rows if tuple(row[:2]) not in shown] == []


def _row(line):
    return [cell.strip() for cell in COUNTED.sub("", line).strip("|").split(" | ")]
