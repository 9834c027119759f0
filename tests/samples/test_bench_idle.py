"""The parts of the benchmark of idle connections; no figure is judged here."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from bench import idle
from bench.idle import Plan, Times
from model_server import Answer, ModelServer, Raw
from processes import Gateway, free_port

if TYPE_CHECKING:
    from pathlib import Path


def test_a_row_tells_medians_and_the_ratios_within_each_round() -> None:
    turns = [(Times(1, 4), Times(2, 6)), (Times(1, 4), Times(1, 4)), (Times(1, 2), Times(1, 4))]
    told = idle.row("new", Plan(), turns)
    assert told[:3] == ["new", "10,000", "1,000"]
    assert told[3:] == ["1.0 / 1.0", "4.0 / 4.0", "1.00 (1.00-2.00)", "1.50 (1.00-2.00)"]


def test_it_takes_and_says_how_many_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (10, 777))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: asked.append(limits))
    out = Console(record=True)
    assert idle.files(out) == 777
    assert asked == [(777, 777)]
    assert "open files: 777" in out.export_text()


def test_connections_are_idle_once_each_had_its_answer() -> None:
    with ModelServer() as server:
        server.script = Answer(b"{}", status=404)
        with idle.idling(server.port, "abc", 70):
            assert len(server.requests) == 70
            assert server.connections == 70
        assert server.requests[0].header("authorization") == "Bearer abc"


def test_one_that_is_not_let_in_ends_it() -> None:
    with ModelServer() as server:
        server.script = Answer(b"{}", status=503)
        with pytest.raises(SystemExit, match="not let in"), idle.idling(server.port, "abc", 1):
            pass


def test_half_open_is_a_request_that_was_begun() -> None:
    with ModelServer() as server:
        with idle.half_open(server.port, 3):
            pass
        end = time.monotonic() + 10
        while server.received.count(idle.HALF) < 3:
            assert time.monotonic() < end
            time.sleep(0.005)
        assert server.requests == []


def test_each_request_has_a_connection_of_its_own() -> None:
    with ModelServer() as server:
        server.script = lambda _request: Raw([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        times = idle.anew(server.port, request, 0.05)
        assert 0 < times.p50 <= times.p99
        assert server.connections == len(server.requests) >= 2
        server.script = lambda _request: Raw([b"HTTP/1.1 429 Too Many Requests\r\n\r\n"])
        with pytest.raises(SystemExit, match="was not answered"):
            idle.anew(server.port, request, 0.0)


def test_it_is_asked_how_many_there_were(tmp_path: Path) -> None:
    with ModelServer() as server:
        server.script = Answer(b'# x\nphigate_connections{state="a"} 3.0\nphigate_connections{state="b"} 4.0\ny 5.0\n')
        gateway = Gateway("http://127.0.0.1:1", tmp_path, tmp_path, console=server.port)
        assert idle.held(gateway) == 7


def test_where_nobody_listens_there_is_nothing_to_measure() -> None:
    with pytest.raises(ConnectionRefusedError), idle.half_open(free_port(), 1):
        pass
