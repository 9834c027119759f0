"""The benchmark's parts do what they are to measure with; no figure is judged here."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

import patients
from bench import streaming
from bench.cases import CASES, Case
from bench.gateway import Turn, pair, ratio
from bench.load import Order, percentile, read, run, written
from model_server import Answer, ModelServer, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL, LARGE, STREAM, PACED = CASES


async def test_streams_at_a_pace_arrive_whole_and_in_time() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(streaming.Server, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    result = await streaming.take(streaming.StreamOrder(port, "abc", streams=3, tokens=5, pause=0.01))
    server.close()
    assert (result.events, result.faults) == (3 * 6, 0)
    assert 0 < result.late_p50 <= result.late_p99
    assert result.first_p50 > 0


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def order(port: int, case: Case, connections: int = 2) -> Order:
    return Order(port, case.request("abc"), connections, seconds=0.2, warm=0.0, streamed=case.streamed)


@pytest.mark.parametrize(("case", "size"), [(SMALL, 1024), (LARGE, 102400)])
def test_a_whole_answer_has_its_size_and_identifiers(case: Case, size: int) -> None:
    (body,) = case.parts
    assert len(body) == size
    assert patients.ASHDOWN.ssn in json.loads(body)["choices"][0]["message"]["content"]


@pytest.mark.parametrize(("case", "earlier"), [(STREAM, 0.0), (PACED, 0.001)])
async def test_a_streams_first_text_comes_before_its_end(server: ModelServer, case: Case, earlier: float) -> None:
    parts = [part for chunk in case.parts for part in (chunk, case.pause)]
    server.script = Raw([])
    server.script = lambda _: Raw([case.head, *parts])
    result = await run(Order(server.port, case.request("abc"), 1, 3.0, 0.0, streamed=True))
    # A Raw answer closes its connection, which the load counts as a fault: one answer is all there is.
    assert (result.done, result.faults) == (1, 1)
    assert result.first_p50 > 0
    assert result.p50 >= result.first_p50 + earlier  # without pauses all of it may come at once


async def test_the_load_repeats_one_request_on_each_connection(server: ModelServer) -> None:
    server.script = Answer(b"{}")
    result = await run(order(server.port, SMALL))
    assert result.faults == 0
    assert 0 < result.done <= len(server.requests)
    assert server.connections == 2
    assert {request.raw for request in server.requests} == {SMALL.request("abc")}


async def test_a_refusal_is_a_fault_and_not_speed(server: ModelServer) -> None:
    server.script = Answer(b"{}", status=401)
    result = await run(order(server.port, SMALL))
    assert result.done == 0
    assert result.faults > 0


def test_an_order_survives_its_line() -> None:
    one = order(1, LARGE)
    assert read(written(one)) == one


def test_percentiles() -> None:
    values = [float(number) for number in range(101)]
    assert [percentile(values, 50), percentile(values, 99), percentile([7.0], 99), percentile([], 50)] == [50, 99, 7, 0]


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    def turn(rate: float) -> Turn:
        return Turn(rate, 1.0, 1.0, 1.0, 0.0, 0.0)

    turns = [[turn(100), turn(50), turn(10)], [turn(200), turn(50), turn(40)]]
    assert ratio(turns, "rate") == "2.00 (1.00-4.00)"
    assert ratio(turns, "first_p50") == "-"
    assert pair(turns, "rate", 0) == "50 / 50"
