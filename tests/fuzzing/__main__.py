"""`scripts/fuzz TARGET --seconds N`: coverage-guided fuzzing of one parser, or of all of them in turn.

It begins with the target's own examples and its corpus in the repository; what it learns is kept under var/fuzz/TARGET
for the next time, and findings in var/fuzz/TARGET/findings. The corpus in the repository is written anew by `--keep`.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzzing.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus"
OURS = ROOT / "var" / "fuzz"
MOST_KEPT, MANY_KEPT = 4 * 1024, 40
"""Bytes and inputs of a target's corpus in the repository, beside its findings: all tests run them."""
_PULSE = re.compile(r"#(\d+)\t")
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_TIMEOUT, _MEMORY = 30, 2048
"""Seconds and megabytes at which a run is ended: its last input is a finding."""


def say(text: str) -> None:
    sys.stderr.write(f"fuzz: {text}\n")
    sys.stderr.flush()


def fuzz(name: str, seconds: float) -> tuple[int, float, list[str]]:
    """Run a target; (executions, seconds without those of starting, findings)."""
    work, findings = OURS / name / "corpus", OURS / name / "findings"
    work.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    runs, took, found = 0, 0.0, list[str]()
    with tempfile.TemporaryDirectory() as folder:
        seeds, words = Path(folder, "seeds"), Path(folder, "words")
        write(seeds, TARGETS[name].seeds())
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in TARGETS[name].words))
        while seconds - took >= 1:
            arguments = [f"-max_total_time={seconds - took:.0f}", f"-max_len={TARGETS[name].longest}", f"-dict={words}"]
            arguments += [
                f"-timeout={_TIMEOUT}",
                f"-rss_limit_mb={_MEMORY}",
                f"-artifact_prefix={findings}/ended-",
                "-len_control=10",
            ]
            arguments += [str(work), str(seeds), *([str(CORPUS / name)] if (CORPUS / name).is_dir() else [])]
            more, longer, new, code = child(name, findings, arguments)
            runs, took, found = runs + more, took + longer, found + new
            if code and not more:
                raise SystemExit(f"fuzz: {name} does not run (exit {code})")
            if code:
                found.append(f"the run was ended (exit {code}), see {findings}")
    return runs, took, found


def child(name: str, findings: Path, arguments: list[str]) -> tuple[int, float, list[str], int]:
    """One process of it; (executions, seconds, findings, how it ended)."""
    runs, took, found, begun = 0, 0.0, list[str](), 0.0
    last = 0.0
    command = [sys.executable, "-m", "tests.fuzzing.run", name, str(findings), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", cwd=ROOT) as process:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines = [*lines[-20:], line]
            now = time.monotonic()
            if pulse := _PULSE.match(line):
                begun = begun or now
                runs, took = int(pulse[1]), now - begun
                if now - last > 30:
                    last = now
                    say(f"{name} {line.strip()}")
            elif done := _DONE.match(line):
                runs, took = int(done[1]), float(done[2])
            elif line.startswith("finding: "):
                found.append(line.removeprefix("finding: ").strip())
                say(f"{name} {line.strip()}")
    if process.returncode:
        sys.stderr.writelines(lines)
    return runs, took, found, process.returncode


def write(folder: Path, inputs: Iterable[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


def keep(name: str) -> None:
    """Write a target's corpus in the repository anew: some of what adds something, none of it long; findings stay."""
    place, kept = CORPUS / name, list[bytes]()
    found = [path.read_bytes() for path in sorted((OURS / name / "corpus").glob("*"))]  # by hash: any order
    for data in found:
        if len(data) <= MOST_KEPT // 8 and sum(map(len, kept)) + len(data) <= MOST_KEPT and len(kept) < MANY_KEPT:
            kept.append(data)
    for old in place.glob("*"):
        if not old.name.startswith("finding-"):
            old.unlink()
    write(place, kept)


def main() -> None:
    options = argparse.ArgumentParser(prog="scripts/fuzz", description="Coverage-guided fuzzing of the parsers.")
    options.add_argument("target", choices=[*TARGETS, "all"])
    options.add_argument("--seconds", type=float, default=60.0, help="of each target; 0 only keeps")
    options.add_argument("--keep", action="store_true", help="write what was learned into tests/corpus")
    chosen = options.parse_args()
    bad = 0
    for name in TARGETS if chosen.target == "all" else [chosen.target]:
        runs, took, found = fuzz(name, chosen.seconds)
        print(f"{name}: {runs} executions in {took:.0f} s, {len(found)} findings", *found, sep="\n  ", flush=True)  # noqa: T201 -- what it is for
        bad += len(found)
        if chosen.keep:
            keep(name)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
