"""The processes that live tests and demos start: ready, dead, or not in time, and gone afterwards."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from processes import Child, Gateway, NotReady, free, free_port, listening, settings

if TYPE_CHECKING:
    from pathlib import Path

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def python(code: str, folder: Path) -> Child:
    return Child("sample", [sys.executable, "-c", code], folder / "log")


def test_a_child_is_waited_for_and_gone_afterwards(tmp_path: Path) -> None:
    with python("import time; print('up', flush=True); time.sleep(60)", tmp_path) as child:
        child.wait_until(lambda: "up" in child.said())
        assert child.alive
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    assert child.code == -15
    child.stop()


def test_a_child_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with python(STUBBORN, tmp_path) as child:
        child.wait_until(lambda: "up" in child.said())
        child.stop(0.1)
        assert child.code == -9


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no such policy')", "sample ended with code 1: no such policy"),
        ("import time; print('hm', flush=True); time.sleep(60)", r"sample was not ready after 0\.5 s: hm"),
    ],
)
def test_a_child_that_is_not_ready_says_why(tmp_path: Path, code: str, said: str) -> None:
    with python(code, tmp_path) as child, pytest.raises(NotReady, match=said):
        child.wait_until(lambda: False, 0.5 if "sleep" in code else 30)


def test_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert (free(port), listening(port)) == (False, True)
    other = free_port()
    assert (free(other), listening(other)) == (True, False)


def test_a_gateway_writes_under_its_folder_only(tmp_path: Path) -> None:
    gateway = Gateway("http://127.0.0.1:9", tmp_path / "policy.yaml", tmp_path / "var", extra=["--set", "a=b"])
    options = [word.partition("=") for word in gateway.command if "=" in word]
    kept = {"confdir", "phi_journal", "phi_secrets", "phi_keys", "phi_ledger"}
    places = {name: value.removeprefix("sqlite+aiosqlite:///") for name, _, value in options if name in kept}
    assert len(places) == 5
    assert all(value.startswith(str(tmp_path / "var")) for value in places.values())
    assert gateway.command[-2:] == ["--set", "a=b"]
    assert settings(a=1, b="x") == ["--set", "a=1", "--set", "b=x"]
