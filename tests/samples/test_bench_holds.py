"""The parts of the benchmark of held requests; no figure is judged here."""

from __future__ import annotations

import socket

from bench import holds
from bench.gateway import Turn
from model_server import ModelServer
from processes import HOST


def turn(p99: float) -> Turn:
    return Turn(rate=100.0, cpu=1.0, p50=2.0, p99=p99, first_p50=0.0, first_p99=0.0)


def test_a_row_tells_medians_and_the_ratio_within_each_round() -> None:
    turns = [(turn(4.0), turn(6.0)), (turn(4.0), turn(4.0)), (turn(2.0), turn(4.0))]
    assert holds.row(4, 200, turns) == ["4", "200", "2.0 / 2.0", "4.0 / 4.0", "1.50 (1.00-2.00)", "100 / 100"]


def test_what_is_to_be_held_is_a_chat_of_its_own() -> None:
    with ModelServer() as server:
        for number in (1, 2):
            with socket.create_connection((HOST, server.port)) as wire:
                wire.sendall(holds.asked("abc", number))
                server.wait_for(number)
    first, second = server.requests
    assert (first.target, first.header("authorization")) == ("/v1/chat/completions", "Bearer abc")
    assert first.json() != second.json()
    assert first.json()["model"] == "ward-assistant"
