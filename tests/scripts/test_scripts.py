"""What can be told of the scripts, the locks and the Dockerfile without running them for minutes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
VERSIONS = ("3.12", "3.13")
BASH = shutil.which("bash") or "/bin/bash"


def pins(lock: Path) -> dict[str, str]:
    """Return each requirement of a lock, markers included, with its version."""
    found = re.findall(r"^([a-z0-9.-]+)==(\S+)((?: ;[^\\\n]*)?)", lock.read_text(), re.MULTILINE)
    return {name + marker.rstrip(): version for name, version, marker in found}


def bash(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASH, *words], capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=60
    )


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
class TestScript:
    def test_is_bash_without_faults(self, script: Path) -> None:
        assert (bash("-n", str(script)).stderr, bash("-n", str(script)).returncode) == ("", 0)

    def test_can_be_run_unless_it_is_sourced(self, script: Path) -> None:
        runnable = not script.name.startswith("_")
        assert os.access(script, os.X_OK) is runnable
        assert script.read_text().startswith("#!/usr/bin/env bash\n") is runnable

    def test_stops_at_the_first_fault(self, script: Path) -> None:
        text = script.read_text()
        assert "set -euo pipefail" in text or '/_setup"\n' in text


def test_ci_runs_the_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands[0] == "set -euo pipefail"
    assert re.fullmatch(r'exec "\$\(dirname .*\)/\.\./scripts/test" </dev/null', commands[1])
    assert len(commands) == 2


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
class TestLock:
    def test_every_requirement_has_a_version_and_hashes(self, lock: Path) -> None:
        entries = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n?", "", lock.read_text(), flags=re.MULTILINE).strip())
        assert entries
        for entry in entries:
            assert re.match(r"[a-z0-9.-]+==\S+", entry), entry
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry

    def test_names_no_address_and_no_place(self, lock: Path) -> None:
        text = lock.read_text()
        assert "://" not in text
        assert not re.search(r"\s/", text)
        said = re.sub(r"^ *#.*$", "", text, flags=re.MULTILINE)
        assert set(re.findall(r"(?:^|\s)(-[a-z-]*)", said)) == {"--hash"}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_tested_is_what_runs(version: str) -> None:
    run, test = (pins(ROOT / "locks" / f"{name}-{version}.txt") for name in ("run", "test"))
    assert run
    assert run.items() <= test.items()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_locks_hold_what_the_project_asks_for(version: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {"run": project["dependencies"], "test": project["optional-dependencies"]["test"]}
    for name, requirements in asked.items():
        locked = {pin.partition(" ")[0] for pin in pins(ROOT / "locks" / f"{name}-{version}.txt")}
        names = {re.match(r"[A-Za-z0-9.-]+", one)[0].lower() for one in requirements}  # type: ignore[index]  # a name
        assert names <= locked


def test_a_wrong_wish_is_one_line() -> None:
    for wish, said in [("/bin/ls", "is no Python"), ("2.7", "not among those with a lock")]:
        done = bash(str(ROOT / "scripts" / "setup"), PHIGATE_PYTHON=wish)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(rf"phigate: .*{said}.*\n", done.stderr)


def test_healthy_needs_a_gateway() -> None:
    assert bash(str(ROOT / "scripts" / "healthy"), "127.0.0.1", "1").returncode != 0


class TestDockerfile:
    text = (ROOT / "Dockerfile").read_text()
    copied = frozenset(re.findall(r"^COPY (\S+) \S+$", text, re.MULTILINE))

    def test_copies_what_is_there_and_not_ignored(self) -> None:
        kept = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
        assert self.copied == kept
        assert all((ROOT / name).is_dir() for name in self.copied)

    def test_runs_scripts_that_are_copied(self) -> None:
        used = set(re.findall(r"scripts/[a-z_]+", self.text))
        assert used == {"scripts/setup", "scripts/healthy"}
        assert all(os.access(ROOT / name, os.X_OK) for name in used)

    def test_starts_the_gateway_as_nobody_special(self) -> None:
        entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", self.text, re.MULTILINE)[1])  # type: ignore[index]  # or fail
        script = entry[entry.index("-s") + 1]
        assert (entry[0], script) == ("/phigate/.venv/bin/mitmdump", "/phigate/addons/gateway.py")
        assert (ROOT / script.removeprefix("/phigate/")).is_file()
        assert re.search(r"^USER phigate$", self.text, re.MULTILINE)
        assert self.text.index("USER phigate") < self.text.index("ENTRYPOINT")
