"""The report's words for what was proven of the journal's files: proofs in, a verdict and its reasons out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.audit.report.parts import Integrity, Proven
from phigate.journal.proof import FINDINGS, NOTICES, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phigate.journal.proof import Finding, Proof

MOST = 50
"""Findings that are printed."""


def integrity(proofs: Sequence[Proof]) -> Integrity:
    """What `phigate verify` says of a folder."""
    faults = [_sentence(proof, each, FINDINGS) for proof in proofs for each in proof.findings]
    return Integrity(
        checked=True,
        verdict=verdict_of(proofs),
        proven=[_proven(proof) for proof in proofs],
        faults=faults[:MOST],
        fault_count=len(faults) + sum(proof.more for proof in proofs),
        notices=[_sentence(proof, each, NOTICES) for proof in proofs for each in proof.notices][:MOST],
    )


def _proven(proof: Proof) -> Proven:
    return Proven(
        proof.instance,
        proof.records,
        chained=_spans(proof.chained.spans),
        signed="(commands are not signed)" if proof.of_command_line else _spans(proof.signed.spans),
        signed_at=proof.signed_at,
        anchored=_spans(proof.anchored.spans),
    )


def _spans(spans: Iterable[tuple[int, int]]) -> str:
    told = [f"{start:,}" if end == start + 1 else f"{start:,} to {end - 1:,}" for start, end in spans]
    return ", ".join(told) or "none"


def _sentence(proof: Proof, finding: Finding, words: dict[str, str]) -> tuple[str, str, str]:
    """Instance, place, what it is; all of it our own words and names of files."""
    place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
    which = f" (records {finding.records[0]:,} to {finding.records[1]:,})" if finding.records else ""
    return proof.instance, place, f"{words[finding.reason]}{which}"
