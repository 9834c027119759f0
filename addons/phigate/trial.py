"""A policy on trial: read at start and again whenever its file changes, asked beside the one in force, never obeyed.

Glue: it reads files. The option `phi_shadow` names the file.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from phigate.policy.load import PolicyFaults, must_be_a_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from phigate.policy.schema import Policy

logger = logging.getLogger(__name__)


class Trial:
    """`policy` is the last good one of a file; `read` makes it, and raises PolicyFaults or OSError."""

    def __init__(self, path: Path, read: Callable[[Path], Policy]) -> None:
        self._path, self._read = path, read
        self._seen = self._stamp()
        self.policy = read(path)

    def reload_if_changed(self) -> None:
        """Read an edited file; a bad one changes nothing and is said once."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            must_be_a_file(self._path)
            self.policy = self._read(self._path)
        except PolicyFaults as fault:
            logger.error("the changed policy on trial is not taken, the last good one stays:\n%s", fault)
        except OSError as error:
            logger.error("the changed policy on trial cannot be read (%s)", os.strerror(error.errno or 0).lower())
        else:
            logger.warning("policy %s is on trial", self.policy.sha256[:12])

    def _stamp(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            stat = self._path.stat()
            return stat.st_mtime_ns, stat.st_size
        return 0, -1
