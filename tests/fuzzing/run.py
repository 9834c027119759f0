"""One target under atheris, in a process of its own: `python -m tests.fuzzing.run TARGET FINDINGS LIBFUZZER-ARGUMENTS`.

A finding is written down and the run goes on: each place that raises counts once. What is raised is told by its type
and place, and by the oracle's own sentence.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.fuzzing.target import Wrong

WATCHED = ["phigate", "mitmproxy.proxy.layers.http", "mitmproxy.net.http", "wsproto", "h11"]
"""Whose branches guide it: ours, and those of the layers that ours stand in."""
SLOW = 1.0
"""Seconds of CPU that no input of this size may take, slowed down by being watched as it is."""


class Watch:
    """Runs a target, and writes down what is a finding."""

    def __init__(self, target: Any, folder: Path) -> None:
        self._target, self._folder = target, folder
        self._known: set[str] = set()

    def __call__(self, data: bytes) -> None:
        before = time.process_time()
        try:
            self._target.run(data)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is a finding
            self._found(place(error), data)
        if (took := time.process_time() - before) > SLOW:
            self._found("slow", data, f" {took:.1f} s")

    def _found(self, what: str, data: bytes, more: str = "") -> None:
        if what in self._known:
            return
        self._known.add(what)
        self._folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(data).hexdigest()[:16]
        (self._folder / name).write_bytes(data)
        sys.stderr.write(f"finding: {what}{more}: {self._folder / name}\n")
        sys.stderr.flush()


def place(error: Exception) -> str:
    """What was raised, and where; an oracle is no place, its sentence says more."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    if isinstance(error, Wrong):
        return f"Wrong ({error}) at {Path(frames[-2].filename).name}:{frames[-2].lineno}"
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def main() -> None:
    name, findings, *arguments = sys.argv[1:]
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=WATCHED):
        target = import_module("tests.fuzzing.targets").TARGETS[name]
    watch = Watch(target, Path(findings))
    for seed in target.seeds():  # what is made at first use is no slow input
        watch._target.run(seed)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    atheris.Setup([sys.argv[0], *arguments], watch)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
