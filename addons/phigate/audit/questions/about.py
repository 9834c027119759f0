"""What the commands about a patient share: the texts from the command line or standard input, read with the keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from phigate.audit.questions import patient
from phigate.masking import RosterFault
from phigate.options import ROOT
from phigate.policy.load import PolicyFaults
from phigate.sources import read_sources
from phigate.starting import StartFault, read_secrets
from phigate.streams import STDIN
from phigate.terminal import err, fail, policy_of, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.audit.index.database import Index
    from phigate.audit.questions.patient import Patient
    from phigate.masking import Secrets

SECRETS: Final = str(ROOT / "var" / "keys" / "secrets")
MOST: Final = 256 * 1024
"""Bytes that are read from standard input."""
VISIBLE: Final = "`-` reads one a line from standard input, which is better: others on this machine can see arguments."
SecretsOf = Annotated[str, typer.Option("--secrets", help="The gateway's keys: a file, or env:NAME.")]
EntityOf = Annotated[
    str | None,
    typer.Option("--entity", help="Take the texts as identifiers of this kind, such as MRN, instead of reading them."),
]


def asked_about(named: Iterable[str], policy: Path, secrets: str, entity: str | None) -> Patient:
    """The identifiers of the texts; tells what cannot be read, and texts in which nothing is found. Exits with 2."""
    texts = _texts(named)
    if not texts:
        raise fail("whom is the question about? no text was given", 2)
    keys = secrets_of(secrets)
    if entity is not None:
        return patient.given(texts, entity.upper(), keys)
    loaded = policy_of(policy, 2)
    try:
        found = patient.read(texts, read_sources(loaded), loaded.capture.mask, keys)
    except RosterFault as fault:
        raise fail(str(fault), 2) from None
    except PolicyFaults as faults:
        raise fail("\n".join(faults.faults), 2) from None
    if found.silent:
        told = ", ".join(map(str, found.silent))
        raise fail(f"text {told}: no identifier was found in it; --entity says what it is", 2)
    say(f"asked about: {', '.join(found.kinds())}", err)
    return found


def secrets_of(where: str) -> Secrets:
    """The keys, which must be there already: new ones would find nothing."""
    there = where[4:] in os.environ if where.startswith("env:") else Path(where).is_file()
    if not there:
        raise fail(f"{where}: no such {'variable' if where.startswith('env:') else 'file'}; name the gateway's keys", 2)
    try:
        return read_secrets(where)
    except StartFault as fault:
        raise fail(str(fault), 2) from None


def warn_of_keys(index: Index, secrets: str) -> None:
    """Say where the journal names keys that are not among these: what was written with them is not found."""
    held = {each.epoch for each in secrets_of(secrets).every}
    opened = index.rows("SELECT DISTINCT json_extract(fields, '$.epoch') FROM event WHERE kind = 'opened'")
    if missing := sorted({str(row[0]) for row in opened if row[0] is not None} - held):
        told = orjson.dumps(missing).decode()
        say(f"{secrets}: without the keys of the epochs {told}; what was written with them is not found", err)


def _texts(named: Iterable[str]) -> list[str]:
    given = list(named)
    if STDIN in given:
        raw = sys.stdin.buffer.read(MOST + 1)
        if len(raw) > MOST:
            raise fail(f"standard input: more than {MOST} bytes", 2)
        given = [each for each in given if each != STDIN] + raw.decode("utf-8", "replace").splitlines()
    return [text for text in given if text.strip()]
