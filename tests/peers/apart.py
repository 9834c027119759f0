"""Peers from PyPI in environments of their own: installed once a checkout, exactly as their lock says."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

UNREACHABLE = re.compile(
    r"error sending request|failed to fetch|connect|timed out|dns|\b40[34]\b|no Python ", re.IGNORECASE
)
"""How uv and pip say that they cannot get a package from where they are told to; anything else is a fault."""
LONGEST = 180.0
"""Seconds that an installation may take; a dozen with a quick line."""


def installed(name: str, lock: Path, home: Path, pythons: tuple[str, ...] = ()) -> Path:
    """The folder of the environment's commands, made if it is not there yet.

    `pythons` are the versions that will do, best first (`3.12`); without them it is this Python.
    """
    made_of = f"{' or '.join(pythons) or sys.version} {sha256(lock.read_bytes()).hexdigest()}"
    stamp = home / "phigate.stamp"
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / f"{home.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two runs in one checkout
        if not stamp.is_file() or stamp.read_text() != made_of:
            install(name, lock, home, pythons)
            stamp.write_text(made_of)
    return home / "bin"


def install(name: str, lock: Path, home: Path, pythons: tuple[str, ...] = ()) -> None:
    """By the uv of scripts/_setup and a Python that it finds or fetches, every file checked against its hash."""
    script = """
        source "$1"
        home=$2 lock=$3 python=$4
        shift 4
        uv=$(find_uv) || die "uv could not be installed: timed out, or no connection"
        for version in "$@"; do
          python=$(find_python "$version") && break
        done
        [[ -n $python ]] || python=$(fetch_python "$1") || die "no Python $* found, and uv could not fetch one"
        index=${UV_DEFAULT_INDEX:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
        [[ -z $index ]] || export UV_DEFAULT_INDEX="$index"
        "$uv" venv --quiet --clear --python "$python" "$home"
        "$uv" pip install --quiet --no-deps --require-hashes --python "$home/bin/python" -r "$lock"
    """
    own = "" if pythons else sys.executable
    told = [str(ROOT / "scripts" / "_setup"), str(home), str(lock), own, *pythons]
    shutil.rmtree(home, ignore_errors=True)
    try:
        done = subprocess.run(
            ["bash", "-c", script, "install", *told], capture_output=True, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{name} cannot be installed within {LONGEST:g} s")
    if done.returncode:
        said = done.stderr.strip()[-400:]
        if UNREACHABLE.search(said):
            pytest.skip(f"{name} cannot be installed: its packages, or a Python for them, are out of reach")
        pytest.fail(f"{name}: {said}", pytrace=False)
