"""[I/O] Running somebody's command as if it had been called by itself: its streams, its signals, its exit code.

No shell reads it. What reaches this process while it runs is passed on; its end by signal N is 128 + N, as shells say.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

NOT_FOUND: Final = 127
NOT_RUN: Final = 126
_PASSED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Its exit code; NOT_FOUND or NOT_RUN where there was nothing to run."""
    try:
        process = subprocess.Popen(list(command), env={**os.environ, **environment})  # noqa: S603 -- what was asked for
    except FileNotFoundError:
        return NOT_FOUND
    except (OSError, ValueError):
        return NOT_RUN

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    def at_terminal(number: int, _frame: FrameType | None) -> None:
        if not sys.stdin.isatty():  # else the terminal told both
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, at_terminal)
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
