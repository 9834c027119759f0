"""Stand-ins that a prompt was given, found in the answer to it, so that their originals can be put back.

Rules of this file: a stand-in is found exactly as it was written, as a word of its own, and told from all others; what
the model altered is none. What could be anything else is never put back: values that share a stand-in, and short ones.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from phigate.masking.evidence import Hit, read_through

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.masking.memory import Memory

STAND_IN = "STAND-IN"
"""What a stand-in is called among findings: no entity of the policy's."""
ONE_TO_ONE = frozenset({"surrogate", "hash", "encrypt", "shift"})
"""Transforms whose outcome tells which value it stands for."""
LEAST = 5
"""Characters of a stand-in that is put back: a shorter one is a word of any text."""
LONGEST = 400
MOST = 2000
"""Stand-ins of one exchange; those beyond are masked in the answer like everything else."""
CERTAIN = 2.0
"""Surer than every finding: what else is found over a stand-in gives way, and its rest stays."""
_BEGIN = re.compile(r"(?<!\w)\S")
_JOINS = frozenset("-'\u2019.@/")


class Original(NamedTuple):
    """What a stand-in stands for."""

    text: str
    entity: str


class StandIns:
    """What one prompt's values were replaced with, collected while it is masked."""

    def __init__(self) -> None:
        self._known: dict[str, Original | None] = {}

    def add(self, stand_in: str, original: str, entity: str) -> None:
        """A value that was replaced; two values of one stand-in are told apart by nobody."""
        if not LEAST <= len(stand_in) <= LONGEST or stand_in == original:
            return
        known = self._known.get(stand_in, original)
        same = known == original if isinstance(known, str) else known is not None and known.text == original
        if same and (stand_in in self._known or len(self._known) < MOST):
            self._known[stand_in] = Original(original, entity)
        elif stand_in in self._known:
            self._known[stand_in] = None

    def teach(self, names: Memory) -> None:
        """Let the names among them be found, in whole and in part, where they are not put back."""
        for stand_in, original in self.originals.items():
            names.learn([Hit(0, len(stand_in), original.entity, "stand-in", 1.0)], stand_in)

    @property
    def originals(self) -> dict[str, Original]:
        """Stand-in -> what it stands for."""
        return {each: original for each, original in self._known.items() if original is not None}


class Standing:
    """The source of evidence that knows one prompt's stand-ins."""

    name = "stand-in"

    def __init__(self, stand_ins: Iterable[str]) -> None:
        self._ordered = sorted(stand_ins)
        self.longest = max(map(len, self._ordered), default=0)
        self._shorter: list[int] = []
        """For each stand-in the longest other one that it begins with; -1 where there is none."""
        for at, each in enumerate(self._ordered):
            other = at - 1
            while other >= 0 and not each.startswith(self._ordered[other]):
                other = self._shorter[other]
            self._shorter.append(other)

    def reader(self) -> Reading:
        return Reading(self)

    def hits(self, text: str) -> list[Hit]:
        return read_through(self, text)

    def at(self, text: str, begin: int) -> int:
        """Where the longest stand-in ends that begins there; -1 where none does."""
        known = bisect_right(self._ordered, text[begin : begin + self.longest]) - 1
        while known >= 0 and not text.startswith(self._ordered[known], begin):
            known = self._shorter[known]
        return begin + len(self._ordered[known]) if known >= 0 else -1

    def goes_on(self, text: str) -> bool:
        """Whether a stand-in begins with this text and is longer."""
        at = bisect_right(self._ordered, text)
        return at < len(self._ordered) and self._ordered[at].startswith(text)


class Reading:
    """Its view of one text: what may still become a stand-in is held, and two characters after it."""

    def __init__(self, source: Standing) -> None:
        self._source = source
        self._text = ""
        self._base = 0
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        self._text += text
        return self._read(last=False)

    def close(self) -> list[Hit]:
        return self._read(last=True)

    def _read(self, *, last: bool) -> list[Hit]:
        source, text, size = self._source, self._text, len(self._text)
        found: list[Hit] = []
        settled, begins = size, max(0, self.settled - self._base)
        for word in _BEGIN.finditer(text, begins):
            begin = word.start()
            if begin < begins:
                continue
            end = source.at(text, begin)
            open_ = size - begin < source.longest and source.goes_on(text[begin:])
            if not last and (open_ or end + 2 > size):
                settled = begin
                break
            if end >= 0 and _alone(text, begin, end):
                found.append(Hit(begin + self._base, end + self._base, STAND_IN, self._source.name, CERTAIN))
                begins = end
        self.settled = max(self.settled, settled + self._base, *(hit.end for hit in found[-1:]))
        passed = self.settled - self._base - 2
        if passed > 0:
            self._text, self._base = text[passed:], self._base + passed
        return found


def _alone(text: str, begin: int, end: int) -> bool:
    """Whether a run is no part of a longer word."""
    before, after = text[max(0, begin - 2) : begin], text[end : end + 2]
    return not _goes_on(before[::-1]) and not _goes_on(after)


def _goes_on(beside: str) -> bool:
    if not beside:
        return False
    if beside[0].isalnum() or beside[0] == "_":
        return True
    if beside[0] in "'\u2019" and beside[1:] in {"s", "S"}:
        return False  # a possessive
    return beside[0] in _JOINS and len(beside) > 1 and beside[1].isalnum()
