"""The commands `seal-key` and `unseal`: the auditor's key, and what only it opens."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from phigate.audit import look
from phigate.audit.questions import show
from phigate.audit.questions.asking import JOURNAL, JournalFolder
from phigate.audit.sealed import unseal
from phigate.capture.seal import BadKey, pem_of, private_of, text_of
from phigate.serving import MOST_KEY
from phigate.terminal import err, fail, out, say

if TYPE_CHECKING:
    from phigate.audit.sealed.unseal import Original
    from phigate.journal import read

KeyFile = Annotated[Path, typer.Option("--key", help="The auditor's private key (PEM).")]
NewKey = Annotated[Path, typer.Option("--output", "-o", help="File of the private key, which must not be there.")]
PASSPHRASE: Final = "PHIGATE_SEAL_PASSPHRASE"  # noqa: S105 -- the name of a variable
_EXCHANGE: Final = re.compile(r"[a-z]{2}-[0-9a-f]{1,64}", re.ASCII)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def seal_key(
    output: NewKey,
    *,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help=f"Encrypt it: asks for a passphrase, or takes {PASSPHRASE}.")
    ] = False,
) -> None:
    """Make the auditor's key pair: the private half stays with the auditor, the public half goes into the policy."""
    word = _passphrase(again=True) if passphrase else None
    private = X25519PrivateKey.generate()
    try:
        _write(output, pem_of(private, word))
    except FileExistsError:
        raise fail(f"{output}: is there already; a key that is lost opens nothing any more") from None
    except OSError as error:
        raise fail(f"{output}: {(error.strerror or 'cannot be written').lower()}") from None
    say(f"the private key is in {output}: keep it, and a copy of it, away from every gateway", err)
    say(f"in the policy:\n\ncapture:\n  bodies: sealed\n  seal_to: {text_of(private.public_key())}")


def unseal_exchange(
    exchange: Annotated[str, typer.Argument(help="The id from the header `phi-exchange`.")],
    key: KeyFile,
    reason: Annotated[str, typer.Option("--reason", help="Why you look; it is recorded.")],
    journal: JournalFolder = JOURNAL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new folder for the originals, one file each, instead.")
    ] = None,
) -> None:
    """Open the sealed originals of an exchange: what the caller sent and the model answered, as it was.

    That you look, and why, is recorded first; where it cannot be, nothing is opened. A passphrase of the key is asked
    for, or taken from PHIGATE_SEAL_PASSPHRASE. Ends with 1 where anything of it stays closed.
    """
    if not _EXCHANGE.fullmatch(exchange):  # it is recorded
        raise fail("this is no exchange's id", 2)
    if not reason.strip():
        raise fail("--reason: say why you look", 2)
    if not journal.is_dir():
        raise fail(f"{journal}: no such folder", 2)
    private = private_key(key)
    try:
        found = unseal.originals(journal, exchange, private, reason.strip(), _flaw)
    except look.Unrecorded as fault:
        raise fail(f"nothing is opened, because this look is not on record: {fault}", 2) from None
    if not found:
        raise fail("nothing of this exchange is sealed in this journal")
    if output is None:
        _print(found)
    else:
        _save(found, output)
    closed = [why for one in found for why in one.faults]
    for why in closed:
        say(show.plain(why).plain, err)
    if closed:
        raise typer.Exit(1)


def private_key(path: Path) -> X25519PrivateKey:
    """The auditor's key, with its passphrase asked for; tells what is none."""
    try:
        with path.open("rb") as file:
            pem = file.read(MOST_KEY)
    except OSError as error:
        raise fail(f"{path}: {(error.strerror or 'cannot be read').lower()}", 2) from None
    try:
        return private_of(pem, _passphrase() if b"ENCRYPTED" in pem else None)
    except BadKey as fault:
        raise fail(f"{path}: {fault}", 2) from None


def _passphrase(*, again: bool = False) -> bytes:
    word = os.environ.get(PASSPHRASE)
    return (word or str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=again, err=True))).encode()


def _print(found: list[Original]) -> None:
    """To a terminal only what does it no harm; to a pipe the bytes themselves."""
    if not sys.stdout.isatty():
        for one in found:
            sys.stdout.buffer.write(one.data + b"\n")
        sys.stdout.buffer.flush()
        return
    for one in found:
        out.print(show.plain(f"{one.side}: {one.kind}, {one.ts}, {len(one.data)} bytes", "bold cyan"))
        out.print(show.plain(one.data.decode("utf-8", "replace")), soft_wrap=True)


def _save(found: list[Original], folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
        for number, one in enumerate(found, 1):
            _write(folder / f"{number:04}-{one.side}-{one.kind}", one.data)
    except OSError as error:
        raise fail(f"{folder}: {(error.strerror or 'cannot be written').lower()}", 2) from None
    say(f"{folder}: {len(found)} originals", err)


def _write(path: Path, data: bytes) -> None:
    """A new file that nobody else may read."""
    with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
        file.write(data)


def _flaw(flaw: read.Flaw) -> None:
    say(f"{flaw.file}:{flaw.line}: {flaw.reason}", err)
