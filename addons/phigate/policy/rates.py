"""So many requests in any stretch of time (`limits`): what is kept of them, and when there is room for one more.

- In no stretch as long as the period were there more, wherever it begins; who waits as long as is said is let in.
- Of rates of up to PARTS requests the time of each is kept. Of others a period has so many parts, and those of one
  part count until the last of them is over: a little longer than they should, never shorter.
- A clock that was set back lets nobody in early, and keeps nobody out for longer than a period.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTS: Final = 60
_PART: Final = struct.Struct("<ddI")
AT_ONCE_AGAIN: Final = 1.0
"""Seconds after which one that is too many at once may be asked again: nobody knows when others are over."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """A limit that does not hold any more, and the seconds until it may."""

    at_once: bool
    wait: float


class Window:
    """The requests of one period, as [first, last, number] of each part of it in which there were any."""

    __slots__ = ("_number", "parts")

    def __init__(self, parts: Iterable[tuple[float, float, int]] = ()) -> None:
        self.parts: deque[list[float]] = deque(list(part) for part in parts)
        self._number = sum(number for _, _, number in self.parts)

    def wait(self, now: float, per: float, most: int) -> float:
        """Seconds until there is room for one more."""
        parts = self.parts
        for part in reversed(parts):
            if part[1] <= now:
                break
            part[:2] = [min(part[0], now), now]
        while parts and parts[0][1] + per <= now:
            self._number -= parts.popleft()[2]
        over = self._number - most
        for _, last, number in parts:
            if over < 0:
                break
            over -= number
            if over < 0:
                return last + per - now
        return 0.0

    def take(self, now: float, per: float, most: int) -> None:
        """One more, for which there was room."""
        self._number += 1
        if most > PARTS and self.parts and now - self.parts[-1][0] < per / PARTS:
            self.parts[-1][1:] = [now, self.parts[-1][2] + 1]
        else:
            self.parts.append([now, now, 1])

    def give_back(self, at: float) -> None:
        """The one that was taken then is none; where that is not known any more it stays."""
        for place in reversed(range(len(self.parts))):
            part = self.parts[place]
            if part[0] <= at <= part[1]:
                self._number -= 1
                part[2] -= 1
                if not part[2]:
                    del self.parts[place]
                return

    def over(self, now: float, per: float) -> bool:
        """Whether nobody asked for anything for a period."""
        return not self.parts or self.parts[-1][1] + per <= now

    def packed(self) -> bytes:
        return b"".join(_PART.pack(first, last, int(number)) for first, last, number in self.parts)


def unpacked(data: bytes) -> Window:
    """What `packed` made; raises ValueError for anything else."""
    try:
        return Window(_PART.iter_unpack(data))
    except struct.error:
        raise ValueError("no requests of a period") from None
