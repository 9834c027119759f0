"""[I/O] Running somebody's command as if it had been called by itself: its streams, its signals, its exit code.

No shell reads it. What reaches this process while it runs is passed on; its end by signal N is 128 + N, as shells say.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

NOT_FOUND: Final = 127
NOT_RUN: Final = 126
_PASSED: Final = (
    *(signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Its exit code; NOT_FOUND or NOT_RUN where there was nothing to run."""
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if not started:
            early.append(number)
        elif number != signal.SIGINT or not os.isatty(0):  # else the terminal told both
            started[0].send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED}
    try:
        process = subprocess.Popen(list(command), env={**os.environ, **environment})  # noqa: S603 -- what was asked for
        started.append(process)
        for number in early:
            process.send_signal(number)
        code = process.wait()
    except FileNotFoundError:
        return NOT_FOUND
    except (OSError, ValueError):
        return NOT_RUN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
