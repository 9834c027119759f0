"""The command as it is installed starts no more than it needs."""

import subprocess
import sys

import pytest

from phigate import __version__
from phigate.options import ROOT

TOLD = """\
import sys
from phigate.__main__ import main
sys.argv = ["phigate", *sys.argv[1:]]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
HEAVY = {"phigate.serving", "phigate.cli", "lxml", "sqlalchemy"}


def run(*words):
    """What it prints, and all that was loaded for it."""
    command = [sys.executable, "-P", "-c", TOLD, *words]
    environment = {"PYTHONPATH": str(ROOT / "addons"), "TERM": "dumb"}
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
    return done.returncode, done.stdout, set(done.stderr.split())


@pytest.mark.parametrize("words", [["tickets", "approve"], ["deploy"]])
def test_what_asks_a_gateway_waits_for_no_house(words):
    code, said, loaded = run(*words, "--help")
    assert code == 0
    assert f"Usage: phigate {' '.join(words)}" in said
    assert loaded & HEAVY == set()


def test_all_else_is_there_as_well():
    code, said, loaded = run("--version")
    assert (code, said) == (0, f"phigate {__version__}\n")
    assert loaded >= HEAVY


def test_it_runs_as_a_module():
    command = [sys.executable, "-P", "-m", "phigate", "tickets", "list"]
    done = subprocess.run(command, capture_output=True, check=False, env={"PYTHONPATH": str(ROOT / "addons")})
    assert done.returncode == 2
    assert b"Usage: phigate tickets list" in done.stderr
