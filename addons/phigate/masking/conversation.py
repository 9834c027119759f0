"""Both sides of an open WebSocket, masked message by message: what the caller says, what the model answers.

The names that either side's prompts show are found in all answers that come after them. Pure: trees and bytes in and
out.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from phigate.masking.answer import MaskedStream, broken_off

if TYPE_CHECKING:
    from phigate.dialect.events import Stream
    from phigate.dialect.table import Dialect
    from phigate.masking.restore import StandIns
    from phigate.masking.sight import Sight


class Conversation:
    """One connection; `answers` is the sight of all that the model says on it."""

    def __init__(self, answers: Sight, dialect: Dialect, stream: Stream, *, opaque: bool) -> None:
        self._answers, self._dialect, self._stream = answers, dialect, stream
        self._masked = MaskedStream(answers, dialect, stream, opaque=opaque)
        self.usage: Counter[str] = Counter()
        self._released = 0

    @property
    def found(self) -> Counter[str]:
        return self._answers.found

    @property
    def identifiers(self) -> set[str]:
        return self._answers.identifiers

    @property
    def revealed(self) -> set[str]:
        """What the caller got as it was: of the messages that could be read."""
        return set(islice(self._answers.revealed, self._released))

    @property
    def held(self) -> int:
        """Bytes, about, of what the model said and what is held back: the next message may have all of it read."""
        return self._masked.held

    def say(
        self,
        tree: dict[str, Any],
        read: dict[str, Any],
        sight: Sight,
        stand_ins: StandIns | None,
        *,
        masked: bool,
    ) -> tuple[bytes, Any]:
        """(for the model, for bystanders) of a caller's message, of which `read` can be read; `masked` for both."""
        sight.names = self._answers.names
        sight.study(read, self._dialect.request)
        shown = sight.tree_for_bystanders(read, self._dialect.shown)
        onward = tree
        if masked:
            seen = sight.tree_for_caller(read, self._dialect.request)
            onward = seen | {key: value for key, value in tree.items() if key not in read}
        if stand_ins is not None:
            stand_ins.teach(self._answers.names)
            self._answers.expect(stand_ins)
        return orjson.dumps(onward), shown

    def hear(self, content: bytes) -> tuple[list[bytes], str, Counter[str]]:
        """(for the caller, for bystanders, findings) of a message of the model's; ValueError when it is unreadable."""
        before = self.found.copy()
        self._masked.usage = {}
        out = self._masked.feed(content).split(b"\n")[:-1]
        self.usage.update(self._masked.usage)
        self._released = len(self._answers.revealed)
        return out, self._masked.take_shown(), self.found - before

    def ended(self, code: str, message: str) -> bytes:
        """The message that tells the caller why the gateway ends the connection."""
        return broken_off(self._stream, code, message).removesuffix(b"\n")
