"""The verdict on a whole folder: each instance walked, and what is not there judged by what accounts for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from phigate.journal import heads, note
from phigate.journal.proof import Finding, Proof
from phigate.journal.verify import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from phigate.journal.note import Vkey
    from phigate.journal.source import Gap, Source, Walked


class Evidence(NamedTuple):
    """All that a verdict rests on: files by instance, checkpoints without their file, what anchors kept, keys."""

    sources: Mapping[str, Sequence[Source]]
    orphans: Mapping[str, tuple[str, Callable[[], bytes]]]
    """By name of the file with checkpoints: the instance, and its bytes."""
    anchors: Mapping[str, bytes]
    keys: Sequence[Vkey]


def judge(evidence: Evidence, progress: Callable[[int], None] = lambda _bytes: None) -> list[Proof]:
    """What each instance's files prove, in order of their names; `progress` is told the bytes that were read."""
    walked, found = _walked(evidence, progress)
    every = list(walked.values())
    for instance, one in walked.items():
        for finding in found.get(note.origin_of(instance), []):
            one.proof.find(finding)
        for where, (_, raw) in ((w, o) for w, o in evidence.orphans.items() if o[0] == instance):
            _orphan(one, evidence, where, raw())
        for gap in one.gaps:
            _account(one.proof, gap, every)
        if evidence.anchors and one.proof.key and not one.proof.of_command_line and not one.proof.anchored.spans:
            one.proof.notices.append(Finding(note.origin_of(instance), None, "unanchored"))
    return [one.proof for one in walked.values()] + _absent(evidence)


def _walked(evidence: Evidence, progress: Callable[[int], None]) -> tuple[dict[str, Walked], dict[str, list[Finding]]]:
    keys: dict[str, list[Vkey]] = {note.origin_of(instance): [] for instance in evidence.sources}
    for key in evidence.keys:
        keys.setdefault(key.name, []).append(key)
    kept = {where: heads.elsewhere(raw, where, keys) for where, raw in evidence.anchors.items()}
    walked = {}
    for instance, sources in sorted(evidence.sources.items()):
        origin = note.origin_of(instance)
        anchored = [head for by_origin in kept.values() for head in by_origin[origin].heads]
        walked[instance] = walk(instance, sources, keys[origin], anchored, progress)
    found = {
        origin: [finding for by_origin in kept.values() for finding in by_origin[origin].findings] for origin in keys
    }
    return walked, found


def _orphan(one: Walked, evidence: Evidence, where: str, raw: bytes) -> None:
    """Checkpoints without their file: it was deleted in order, or there are fewer records than were signed."""
    proof = one.proof
    origin = note.origin_of(proof.instance)
    own = [key for key in evidence.keys if key.name == origin]
    read = heads.beside(raw, where, f"{where.removesuffix('.checkpoints')}.jsonl", origin, own)
    for finding in read.findings:
        proof.find(finding)
    proof.notices += read.notices
    if read.unchecked:
        proof.notices.append(Finding(where, None, "unchecked"))
    end = max((b for _, b in proof.chained.spans), default=0)
    for head in [head for head in read.heads if head.size > end][-1:]:
        proof.find(Finding(where, head.line, "beyond-the-end", (end, head.size - 1)))


def _account(proof: Proof, gap: Gap, every: Sequence[Walked]) -> None:
    """Records are not here: either records that hold say which and why, or somebody removed them."""
    reasons, at = set[str](), gap.start
    while at < gap.end:
        found = _pruned(proof, gap, at, every) or _aside(proof, gap, at, every)
        if found is None:
            proof.find(Finding(gap.file, 1, "missing", (gap.start, gap.end - 1)))
            return
        reason, at = found
        reasons.add(reason)
    if "wrong-prune" in reasons:
        proof.find(Finding(gap.file, 1, "wrong-prune", (gap.start, gap.end - 1)))
    else:
        proof.notices += [Finding(gap.file, 1, each, (gap.start, gap.end - 1)) for each in sorted(reasons)]


def _pruned(proof: Proof, gap: Gap, at: int, every: Sequence[Walked]) -> tuple[str, int] | None:
    """What says that the records from `at` were deleted, and the number behind them."""
    about = [
        (each, by.proof.signed.holds(each.at))
        for by in every
        for each in by.pruned
        if _named(each.file)[0] == proof.instance and each.since <= at <= each.last < gap.end
    ]
    if not about:
        return None
    end = max(each.last for each, _ in about) + 1
    telling = [(each, signed) for each, signed in about if each.last == end - 1]
    if end == gap.end:
        telling = [(each, signed) for each, signed in telling if (each.digest, each.root) == (gap.prev, gap.root)]
    if not telling:
        return "wrong-prune", end
    return "pruned" if any(signed for _, signed in telling) else "pruned-unsigned", end


def _aside(proof: Proof, gap: Gap, at: int, every: Sequence[Walked]) -> tuple[str, int] | None:
    """What says that an operator took out the file that begins with `at`; the number that another one begins with.

    A file that was the newest ended before the file begins that tells of it.
    """
    asides = [(each, by) for by in every for each in by.aside if _named(each.file)[0] == proof.instance]
    begun = {_named(each.file)[1]: (each, by.proof.signed.holds(each.at)) for each, by in asides}
    if at not in begun:
        return None
    aside, signed = begun[at]
    later = [each.since for by in every for each in by.pruned if _named(each.file)[0] == proof.instance]
    until = _named(aside.within)[1] if aside.until is None else aside.until
    end = min([gap.end, *(seq for seq in [*begun, *later, until] if seq > at)])
    if end == gap.end and gap.follows != aside.file:
        return None  # the file behind it follows another one, which is not here
    return "quarantined" if signed else "quarantined-unsigned", end


def _named(file: str) -> tuple[str, int]:
    instance, _, seq = file.removesuffix(".jsonl").rpartition("-")
    return instance.rpartition("-")[0], int(seq) if seq.isascii() and seq.isdigit() and len(seq) < 20 else -1


def _absent(evidence: Evidence) -> list[Proof]:
    """Instances of which there is a key, and nothing else."""
    here = {note.origin_of(instance) for instance in evidence.sources}
    absent = []
    for key in evidence.keys:
        if key.name not in here:
            here.add(key.name)
            proof = Proof(key.name.removeprefix("phigate/"), key=key.id.hex())
            proof.find(Finding(key.name, None, "no-records"))
            absent.append(proof)
    return absent
