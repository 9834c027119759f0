"""What `scripts/run` prints can be pasted, and `scripts/run --once` holds its promises."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from demo import instructions
from issuer import PEOPLE as KNOWN
from issuer import SampleIssuer
from patients import ASHDOWN, identifiers_in
from people import APPROVER, DEFAULT_ISSUER, OPERATORS, PEOPLE, policy_for
from processes import ROOT, Gateway

if TYPE_CHECKING:
    from pathlib import Path


def test_the_lines_to_paste_are_shell_and_python(tmp_path: Path) -> None:
    with SampleIssuer() as issuer:
        said = instructions(Gateway("http://127.0.0.1:9", tmp_path / "policy.yaml", tmp_path), issuer)
    shell, _, snippet = said.partition("import os, openai")
    commands = [
        line
        for line in shell.splitlines()
        if line.startswith(("#", "export", "curl", "  -H", "  --", "echo", "PHIGATE_", "  PHIGATE_"))
    ]
    assert sum(line.startswith("curl") for line in commands) == len(PEOPLE) + 1
    parsed = subprocess.run(["bash", "-n"], input="\n".join(commands), text=True, capture_output=True, check=False)
    assert (parsed.returncode, parsed.stderr) == (0, "")
    compile("import os, openai" + snippet, "snippet", "exec")


def test_the_people_are_known_to_the_issuer() -> None:
    assert {APPROVER, *OPERATORS, *(person.login for person in PEOPLE)} == set(KNOWN)


def test_the_sample_policy_believes_another_issuer_and_is_else_the_default(tmp_path: Path) -> None:
    policy = policy_for("http://127.0.0.1:1", tmp_path).read_text()
    assert policy.replace("http://127.0.0.1:1", DEFAULT_ISSUER) == (ROOT / "rules" / "policy.yaml").read_text()
    assert DEFAULT_ISSUER not in policy


@pytest.mark.live
def test_one_exchange_a_person_holds_every_promise() -> None:
    command = [sys.executable, str(ROOT / "samples" / "demo.py"), "--once"]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=100)
    assert [line for line in done.stdout.splitlines() if line.startswith("NO ")] == []
    assert (done.returncode, done.stderr) == (0, "")


def test_once_takes_no_policy() -> None:
    command = [sys.executable, str(ROOT / "samples" / "demo.py"), "--once", "--policy", "mine.yaml"]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("error: --once is for the sample server and the default policy\n")


@pytest.mark.live
def test_a_policy_of_ones_own_is_tried_with_the_sample(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "samples" / "demo.py"), "--policy", str(tmp_path / "mine.yaml")]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert f"{tmp_path / 'mine.yaml'}" in done.stderr


@pytest.mark.parametrize("url", ["model:8000", "ftp://model", "http://", "http://model/v1"])
def test_an_upstream_that_is_no_address_is_one_line(url: str) -> None:
    command = [sys.executable, str(ROOT / "samples" / "demo.py"), "--model", url]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"phigate: --model `{url}` is not http(s)://HOST[:PORT]\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Ms. {ASHDOWN.surname}", [ASHDOWN.surname]),
        (f"line\\n{ASHDOWN.mrn}", [ASHDOWN.mrn]),
        (f"ab{ASHDOWN.zip}0c and 1{ASHDOWN.zip}", []),
        ("nobody", []),
    ],
)
def test_identifiers_are_found_in_a_text(text: str, found: list[str]) -> None:
    assert identifiers_in(text) == found
