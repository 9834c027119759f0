"""Two columns of text that grow line by line: what is beside a turn on the left, what is said on the right.

Nothing is drawn twice and no cursor is moved, so it reads the same in a terminal, in a pipe and in a file. A word is
written once it is whole. Whatever is given is untrusted, and becomes plain text here.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, chop_cells
from rich.text import Text

from phigate.audit.questions.show import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from phigate.audit.questions.replay import Note

BESIDE: Final = 27
"""Cells of the left column: the id of an exchange or a session fits."""
RULE: Final = " │"
WIDEST: Final = 100
"""Cells of the right column, at most: longer lines are hard to read."""
_TOKENS: Final = re.compile(r"\n|[^\S\n]+|\S+")


class Page:
    """Writes through `write`, which is given pieces of lines and the ends of lines."""

    def __init__(self, write: Callable[[Text], None], width: int) -> None:
        self._write = write
        self._width = max(20, min(WIDEST, width - BESIDE - len(RULE) - 1))
        self._notes: deque[Text] = deque()
        self._open = False
        """A line was begun."""
        self._column = 0
        self._space = ""
        self._word = ""
        self._style = ""

    def note(self, notes: Iterable[Note]) -> None:
        """Put these beside what is said from here on."""
        for text, style in notes:
            for line in _folded(str(plain(text)).replace("\n", " "), BESIDE):
                self._notes.append(Text(line, style=style))

    def say(self, text: str, style: str = "") -> None:
        """Go on in the right column."""
        if style != self._style:
            self._settle()
            self._style = style
        pieces = _TOKENS.findall(self._word + str(plain(text)))
        self._word = ""
        for number, piece in enumerate(pieces, 1):
            if piece == "\n":
                self._line()
            elif piece.isspace():
                self._space += piece
            else:
                self._put(piece, whole=number < len(pieces))

    def aside(self, text: str, style: str = "dim") -> None:
        """A line across both columns, apart from any turn."""
        self.end()
        for line in _folded(str(plain(text)).replace("\n", " "), self._width + BESIDE):
            self._write(Text(f"{line}\n", style=style))

    def end(self) -> None:
        """End the turn: what is left beside it, then an empty line."""
        self._settle()
        if self._open or self._notes:
            if self._open:
                self._close_line()
            while self._notes:
                self._begin()
                self._close_line()
            self._write(Text("\n"))
        self._space, self._style = "", ""

    def break_off(self) -> None:
        """Leave the line at hand, so that whatever writes next begins one of its own."""
        if self._open:
            self._close_line()

    def _settle(self) -> None:
        """Write the word at hand: nothing more of it comes."""
        word, self._word = self._word, ""
        if word:
            self._put(word, whole=True)

    def _put(self, word: str, *, whole: bool) -> None:
        if not whole:
            self._word = word
            if cell_len(word) <= self._width:
                return
            self._word = ""  # longer than a line: it need not be waited for
        space = self._space
        if self._open and self._column and self._column + cell_len(space) + cell_len(word) > self._width:
            self._close_line()
            space = ""
        self._space = ""
        for piece in chop_cells(space + word, self._width):
            if not self._open:
                self._begin()
            if self._column and self._column + cell_len(piece) > self._width:
                self._close_line()
                self._begin()
            self._write(Text(piece if self._column else f" {piece}", style=self._style))
            self._column += cell_len(piece)

    def _line(self) -> None:
        """A line of the text ends."""
        self._space = ""
        if not self._open:
            self._begin()
        self._close_line()

    def _begin(self) -> None:
        note = self._notes.popleft() if self._notes else Text()
        note.pad_right(BESIDE - note.cell_len)
        self._open, self._column = True, 0  # first: whoever breaks off meanwhile has a line to leave
        self._write(Text.assemble(note, Text(RULE, style="dim")))

    def _close_line(self) -> None:
        self._write(Text("\n"))
        self._open, self._column = False, 0


def _folded(text: str, width: int) -> list[str]:
    """A text in lines, cut between words where that is possible."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines += chop_cells(word, width)
    return [line for line in lines if line] or [""]
