"""What `phigate verify` says: proofs in words for an auditor, and as JSON; nothing is read or checked here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from phigate.journal.proof import FINDINGS, NOTICES, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from phigate.journal.proof import Finding, Proof

LIMITS: Final = (
    (
        "Checkpoints are signed with a key that the gateway's host holds: whoever holds the host can write a journal "
        "anew and sign it. Only checkpoints that were kept elsewhere (--anchor) prove what was there before."
    ),
    (
        "Behind the last checkpoint whoever can write the folder can add, replace or cut off records; behind the last "
        "anchored checkpoint whoever holds the host can."
    ),
    (
        "That records were deleted in order, or a file was taken out, is told by records of the host: whoever holds it "
        "can write them too. Only an own copy shows whether what is gone had to go."
    ),
)
"""What no verdict says, in the same words each time."""
MOST: Final = 20
"""Stretches of records that are named in a line."""
VERDICTS: Final = {
    "holds": "It holds, as far as the lines above reach: nothing here was changed, removed or damaged.",
    "broken": "It does not hold: what is listed was changed, removed or damaged.",
    "untold": "This cannot be told: nothing that was found speaks against it, and what is said above is missing.",
}


def told(proofs: Sequence[Proof], *, anchored: bool) -> Iterator[str]:
    """The verdict on a folder as lines of text; `anchored` says whether an anchor's file was given."""
    for proof in proofs:
        yield from _of_instance(proof, anchored=anchored)
        yield ""
    yield from (each for each in LIMITS)
    yield ""
    yield VERDICTS[verdict_of(proofs)] if proofs else "There is no journal here."


def as_json(proofs: Sequence[Proof]) -> dict[str, Any]:
    """The same for programs; spans of record numbers are [first, last]."""
    return {
        "verdict": verdict_of(proofs),
        "instances": [
            {
                "instance": proof.instance,
                "verdict": proof.verdict,
                "files": proof.files,
                "records": proof.records,
                "bytes": proof.bytes,
                "key": proof.key,
                "chained": _ends(proof.chained.spans),
                "signed": _ends(proof.signed.spans),
                "signed_at": proof.signed_at,
                "checkpoints": proof.checkpoints,
                "anchored": _ends(proof.anchored.spans),
                "anchored_at": proof.anchored_at,
                "claims": proof.claims,
                "findings": [asdict(each) | {"told": FINDINGS[each.reason]} for each in proof.findings],
                "more_findings": proof.more,
                "notices": [asdict(each) | {"told": NOTICES[each.reason]} for each in proof.notices],
            }
            for proof in proofs
        ],
        "limits": list(LIMITS),
    }


def _of_instance(proof: Proof, *, anchored: bool) -> Iterator[str]:
    yield f"{proof.instance}: {_counted(proof.files, 'file')}, {_counted(proof.records, 'record')}"
    yield _row("chain", f"records {_spans(proof.chained.spans)} follow from one another")
    yield _row("checkpoints", _signed(proof))
    yield _row("anchors", _anchored(proof, given=anchored))
    if (left := proof.chained.without(proof.signed.spans)) and proof.key:
        yield _row("chain only", f"records {_spans(left)}: signed by nothing (yet)")
    for where, size in sorted(proof.claims.items()):
        yield _row("", f"the journal says that records up to {size - 1:,} were anchored at {where}")
    for notice in proof.notices:
        yield _row("note", _sentence(notice, NOTICES))
    for finding in proof.findings:
        yield _row("FOUND", _sentence(finding, FINDINGS))
    if proof.more:
        yield _row("FOUND", f"and {proof.more:,} more")


def _signed(proof: Proof) -> str:
    if proof.key is None and proof.of_command_line:
        return "none is asked for: whoever writes this folder can write records of commands anew"
    if proof.key is None:
        return "no key was given (--key)"
    if not proof.signed.spans:
        return f"none holds under key {proof.key}"
    at = f", the last of {proof.signed_at}" if proof.signed_at else ""
    return (
        f"records {_spans(proof.signed.spans)} are those that were signed: "
        f"{_counted(proof.checkpoints, 'checkpoint')} under key {proof.key}{at}"
    )


def _anchored(proof: Proof, *, given: bool) -> str:
    if not given:
        return "none was given (--anchor)"
    if not proof.anchored.spans:
        return "what was given holds none of these records"
    at = f", the last of {proof.anchored_at}" if proof.anchored_at else ""
    return f"records {_spans(proof.anchored.spans)} are those of checkpoints that were kept elsewhere{at}"


def _sentence(finding: Finding, table: dict[str, str]) -> str:
    place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
    which = f" (records {_spans([(finding.records[0], finding.records[1] + 1)])})" if finding.records else ""
    return f"{place}: {finding.reason}: {table[finding.reason]}{which}"


def _row(name: str, said: str) -> str:
    return f"  {name:<13}{said}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _spans(spans: Iterable[tuple[int, int]]) -> str:
    every = list(spans)
    told = [f"{start:,}" if end == start + 1 else f"{start:,} to {end - 1:,}" for start, end in every[:MOST]]
    more = [f"and {len(every) - MOST:,} stretches more"] if len(every) > MOST else []
    return ", ".join(told + more) or "none"


def _ends(spans: Iterable[tuple[int, int]]) -> list[list[int]]:
    return [[start, end - 1] for start, end in spans]
