"""What the kernel is told about this process: nothing of its memory is written to a disk, nobody attaches to it.

A core file holds prompts, answers, bearers and keys as they stood. Linux leaves the size limit of core files aside
where a program takes them (core(5), `core_pattern` with a pipe), but dumps nothing of a process that is not dumpable,
and lets nobody of the same account trace it (ptrace(2)). What is swapped out is up to whoever owns the machine.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import sys
from typing import IO

PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
"""Of prctl(2)."""
OWNER_ONLY = 0o077
"""What new files and folders are not, whatever made them: readable by others."""


class NotKept(Exception):  # noqa: N818 -- the operator's fault, told in the operator's words
    """Why this process cannot be kept from others."""


def keep() -> None:
    """Leave no core file, let nobody attach, and make new files the owner's alone; raises NotKept."""
    os.umask(OWNER_ONLY)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux" and (prctl(PR_SET_DUMPABLE, 0) != 0 or dumpable()):
        raise NotKept("the kernel does not let this process be kept from core dumps (prctl)")


def own(file: IO[bytes]) -> None:
    """Make a file that was opened before `keep` its owner's alone, unless it is a pipe or a device; raises NotKept."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        try:
            os.fchmod(file.fileno(), 0o600)
        except OSError:
            raise NotKept("option `save_stream_file`: the file must be this account's own") from None


def dumpable() -> bool:
    """Whether the kernel, Linux here, would dump this process, and let others of its account trace it."""
    return prctl(PR_GET_DUMPABLE) != 0


def prctl(what: int, value: int = 0) -> int:
    """What the kernel answers: its result as it is, negative where it failed."""
    result: int = ctypes.CDLL(None).prctl(what, value, 0, 0, 0)
    return result
