"""What an operator's options name and do not hold: the gateways' keys and the ledger's URL; or why it cannot start.

Glue: it reads files and the environment, and makes the file of keys where there is none.
"""

from __future__ import annotations

import contextlib
import os
import secrets as randomness
from pathlib import Path
from typing import TYPE_CHECKING

from phigate.masking.secrets import SecretsFault, parse_secrets

if TYPE_CHECKING:
    from phigate.masking import Secrets


class StartFault(Exception):  # noqa: N818 -- the operator's fault, told in the operator's words
    """Why the gateway cannot start: one sentence a line, in the operator's words."""


def ledger_url(where: str) -> str:
    """The ledger's URL, or that which an environment variable holds (`env:NAME`); raises StartFault.

    Options stand in the list of processes, which anybody on the machine reads, and mitmweb shows them.
    """
    if not where.startswith("env:"):
        return where
    name = where.removeprefix("env:")
    if not (url := os.environ.get(name, "")):
        raise StartFault(f"option `phi_ledger`: the environment variable `{name}` is not set")
    return url


def read_secrets(where: str) -> Secrets:
    """The keys of hashes, surrogates and encryption: lines `EPOCH KEY` in a file made at first use, or `env:NAME`."""
    text = os.environ.get(where.removeprefix("env:"), "") if where.startswith("env:") else _secrets_file(Path(where))
    try:
        return parse_secrets(text, where)
    except SecretsFault as fault:
        raise StartFault(str(fault)) from None


def _secrets_file(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(made, "w") as file:
                file.write(f"1 {randomness.token_hex(32)}\n")
        if path.stat().st_mode & 0o077:
            raise StartFault(f"{path}: must be readable by its owner only (mode 600)")
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise StartFault(f"{path}: cannot be read or made ({type(error).__name__})") from None
