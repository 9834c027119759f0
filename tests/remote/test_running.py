"""Somebody's command, as if it had been called by itself."""

import os
import signal
import subprocess
import sys

import pytest

from phigate.options import ROOT
from phigate.remote.running import NOT_FOUND, NOT_RUN, run

CASES = [
    ("its exit code", ["sh", "-c", "exit 7"], 7),
    ("nothing wrong", ["true"], 0),
    ("its end by a signal", ["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
    ("what nobody has", ["phigate-no-such-command"], NOT_FOUND),
    ("what cannot be run", [str(ROOT)], NOT_RUN),
    ("a name with a NUL", ["a\0b"], NOT_RUN),
    ("words that a shell would read", ["test", "$(exit 3)", "=", "$(exit 3)"], 0),
    ("what it is told beside the environment", ["sh", "-c", 'test "$PHIGATE_TICKET" = t-1 && test -n "$PATH"'], 0),
]


@pytest.mark.parametrize(("sentence", "command", "code"), CASES, ids=[case[0] for case in CASES])
def test_a_command_ends_with(sentence, command, code):
    before = signal.getsignal(signal.SIGTERM)
    assert run(command, {"PHIGATE_TICKET": "t-1"}) == code
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_is_passed_on(number):
    name = number.name.removeprefix("SIG")
    trap = f"trap 'echo caught; exit 9' {name}; echo ready; for _ in $(seq 200); do sleep 0.05; done"
    script = f"import sys; from phigate.remote.running import run; sys.exit(run(['sh', '-c', {trap!r}], {{}}))"
    environment = {"PYTHONPATH": str(ROOT / "addons"), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-P", "-c", script]
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=pipe, stdin=none) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.read() == b"caught\n"
        assert process.wait(10) == 9
