"""What detection is made of as it is read from files: the roster, the operator's own detectors. Glue.

Reading a roster of 100,000 people and compiling patterns takes seconds: at start that is waited for, afterwards it is
done in a thread, and what was read takes the place of what is used in one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phigate.masking import NOTHING, Detectors, default_detectors, load_detectors, load_roster

if TYPE_CHECKING:
    from pathlib import Path

    from phigate.masking import Roster
    from phigate.policy.schema import Policy

type Stamp = tuple[tuple[str, int, int], ...]
"""Of each file: its path, when it was changed, its size."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Every source of evidence that a policy names, and the files as they were before they were read."""

    stamp: Stamp
    detectors: Detectors
    roster: Roster | None


def stamp_of(policy: Policy) -> Stamp:
    """The files that a policy names, as they are now."""
    return tuple(_stamp(path) for path in _files(policy) if path is not None)


def read_sources(policy: Policy) -> Sources:
    """Read what a policy names; raises RosterFault or PolicyFaults."""
    stamp = stamp_of(policy)
    people, own = _files(policy)
    roster = load_roster(people) if people else None
    detectors = default_detectors(roster, load_detectors(own) if own else NOTHING)
    detectors.warm()
    return Sources(stamp, detectors, roster)


def _files(policy: Policy) -> tuple[Path | None, Path | None]:
    roster, detectors = policy.roster, policy.detectors
    return policy.folder / roster if roster else None, policy.folder / detectors if detectors else None


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return str(path), 0, -1
    return str(path), stat.st_mtime_ns, stat.st_size
