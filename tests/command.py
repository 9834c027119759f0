"""The `phigate` command for tests: in this process, or in one of its own."""

import subprocess
import sys

from typer.testing import CliRunner

from phigate.cli import app
from phigate.options import ROOT
from tests import policies

GOOD = policies.text(policies.RULE.removeprefix("  - ").strip())
OWN = """\
version: 1
detectors:
  - {name: shoe, entity: UNIQUE_ID, pattern: 'shoe \\d{4}', hits: ['a [[shoe 4711]]'], misses: [shoes]}
"""


def phigate(*words, stdin=b""):
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin)


def process(*words, stdin=b"", **environment):
    """The same in a process of its own, whose streams are real ones."""
    command = [sys.executable, "-m", "phigate", *map(str, words)]
    environment = {"PYTHONPATH": str(ROOT / "addons"), **environment}
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60, env=environment)


def file_of(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def imported(*modules):
    """The names of all that a new interpreter holds once it has imported these."""
    told = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    environment = {"PYTHONPATH": str(ROOT / "addons")}
    done = subprocess.run([sys.executable, "-P", "-c", told], capture_output=True, check=True, env=environment)
    return set(done.stdout.decode().split())
