"""A text as it is read: what is written oddly becomes plain, with a way back to what was written.

Rules of this file:
- What is read does not depend on how the text was cut: a character waits only while more text could change it.
- Invisible characters and combining marks are not read; look-alikes, wide forms and other digits are read as the plain
  character (Unicode TR39, NFKC); HTML entities and escapes of JSON as what they stand for; HTML's tags without
  attributes as nothing or a blank; a terminal's colours as nothing; Markdown's escaped marks as the marks; a line's end
  inside of a value, or where a long line was wrapped, as if it were not there.
- Nothing of this reaches the output: `place` and `after` give the offsets of the text as written.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

INVISIBLE = (
    r"\x00-\x08\x0e-\x1f\x7f-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
"""Characters that nobody sees, and marks over or under another."""
WRAPPED, NARROW = 50, 24
"""Characters from which on a line's end may be a wrapped one: before any letter or digit, before none that begins a
sentence or a heading."""
INLINE = "b|strong|i|em|u|s|del|ins|mark|small|sub|sup|span|font|code|kbd|samp|tt|var"
BLOCK = "td|th|tr|table|thead|tbody|p|div|br|hr|li|ul|ol|dl|dt|dd|pre|label|h[1-6]"
"""Names of HTML's elements whose tags, where they say nothing more, are read as nothing and as a blank."""
ESC = r"(?:\x1b|\\(?:u001[bB]|x1[bB]|033|e))"
"""How the sequence of a terminal begins, as it is sent or as programs write it (ECMA-48, 5.4)."""
NEAR = 32
"""Characters that more text may change, at most."""
UNIT = re.compile(
    rf"(?P<colour>{ESC}\[(?:[0-9]{{0,3}}[;:?]){{0,4}}[0-9]{{0,3}}[A-Za-z])|(?P<unseen>(?:(?!\x1b)[{INVISIBLE}])+|\x1b(?!\[))"
    r"|(?P<entity>&(?:#[0-9]{1,12}|#[xX][0-9A-Fa-f]{1,12}|[A-Za-z][A-Za-z0-9]{1,7});)"
    r"|(?P<escape>\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[nrt]))"
    rf"|(?P<broken>(?<=[0-9{INVISIBLE}])(?:-[ \t]{{0,8}}\r?\n[ \t]{{0,8}}(?=[0-9])|\r?\n[ \t]{{0,8}}-(?=[0-9])))"
    r"|(?P<wrap>(?<=[A-Za-z0-9, ])\r?\n[ \t]{0,8}(?=[A-Za-z0-9(]))"
    rf"|(?P<marked>\\[-:#|.])|(?P<inline></?(?i:{INLINE}) ?/?>)|(?P<block></?(?i:{BLOCK}) ?/?>)"
    r"|(?P<several>[\ufb00-\ufb06\u2026\u33d4\u338e-\u33ff])"
)
"""What is not read character by character."""
BEGINS = re.compile(rf"[&<\\\r\n\-{INVISIBLE}\ufb00-\ufb06\u2026\u33d4\u338e-\u33ff]")
"""How one begins: to look for that is ten times faster than to look for a unit at each place."""
WAITS = re.compile(
    r"(?:&(?:#(?:[0-9]{0,12}|[xX][0-9A-Fa-f]{0,12})|[A-Za-z][A-Za-z0-9]{0,7})?"
    rf"|{ESC}(?:\[(?:[0-9]{{0,3}}[;:?]){{0,4}}[0-9]{{0,3}})?|\\(?:u[0-9A-Fa-f]{{0,3}}|x[0-9A-Fa-f]?|03?)?"
    r"|</?(?:[A-Za-z][A-Za-z0-9]{0,5} ?/?)?"
    r"|(?:(?<!\\)-[ \t]{0,8})?\r?\n[ \t]{0,8}-?|(?<!\\)-[ \t]{0,8}\r?|\r)\Z"
)
"""The end of a text that more text may change."""
ODD = re.compile(r"[^\x09\x0b\x0c\x20-\x25\x27-\x2c\x2e-\x3b\x3d-\x5b\x5d-\x7e]")
"""What a text must have for anything but itself to be read, or for its end to wait."""
ALIKE = (
    (
        "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0430",
        "ABESIJKMHOPCTYXa",
    ),
    ("\u0435\u0456\u0458\u043e\u0440\u0441\u0443\u0445\u0455\u0501\u051b\u051d\u04bb\u04cf", "eijopcyxsdqwhl"),
    (
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03b9",
        "ABEZHIKMNOPTYXoi",
    ),
    ("\u03c5\u03bd", "uv"),
    ("\u0251\u0261\u0131\u217c", "agil"),
    ("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-------"),
    ("\u2019\u2018\u02bc\uff07\u2032", "'''''"),
    ("\u2800", " "),
    ("\u201c\u201d\u2033\u2044\u2215", '"""//'),
)
LOOK_ALIKE = {other: plain for others, plains in ALIKE for other, plain in zip(others, plains, strict=True)}
"""Letters of other scripts that cannot be told from Latin ones, dashes, quotes."""


class Reading(dict[int, str]):
    """Code point to the one character it is read as; worked out at first use."""

    def __missing__(self, code: int) -> str:
        self[code] = made = plain(chr(code))
        return made


@cache
def plain(character: str) -> str:
    """The one plain character that a character is read as: itself where there is none."""
    if character in LOOK_ALIKE:
        return LOOK_ALIKE[character]
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if unicodedata.category(character) in {"Zs", "Zl", "Zp"}:
        return " "
    normal = unicodedata.normalize("NFKC", character)
    return normal if len(normal) == 1 and normal.isascii() and normal.isprintable() else character


READING = Reading()


class Writing:
    """One text, whole or growing; offsets are characters."""

    def __init__(self) -> None:
        self._waits = ""
        self._before = ""
        """The last character that was read, as written."""
        self._line = 0
        """Characters since the last line began."""
        self._read, self._raw = 0, 0
        """Characters read and written, so far."""
        self._at: list[int] = []
        self._pairs: list[tuple[int, int, int]] = []
        """Where reading and writing part: for each entry of `_at`, offset as read, it and the next offset as written,
        and how many characters are read of what is written there."""

    def feed(self, text: str) -> str:
        """More of the text: what is read of it now."""
        if not self._waits and not ODD.search(text):
            return self._as_it_stands(text)
        text = self._waits + text
        near = max(0, len(text) - NEAR)
        waits = WAITS.search(text, near)
        cut = waits.start() if waits else len(text)
        self._waits = text[cut:]
        return self._decoded(text[:cut], self._waits)

    def close(self) -> str:
        """The text has ended: what was still open."""
        text, self._waits = self._waits, ""
        return self._decoded(text, "")

    def place(self, at: int) -> int:
        """Where the character read at `at` begins in the text as written; at the end, where what was read ends."""
        index = bisect_right(self._at, at) - 1
        if index < 0:
            return at
        begin, after, size = self._pairs[index]
        inside = at - self._at[index]
        return begin if inside < size else after + inside - size

    def after(self, at: int) -> int:
        """Where the character read before `at` ends in the text as written."""
        index = bisect_right(self._at, at - 1) - 1
        if index < 0:
            return at
        _, after, size = self._pairs[index]
        inside = at - 1 - self._at[index]
        return after if inside < size else after + inside - size + 1

    def forget(self, at: int) -> None:
        """Nobody will ask for a place before `at` again."""
        index = bisect_right(self._at, at - 1) - 1
        if index > 0:
            del self._at[:index], self._pairs[:index]

    def _as_it_stands(self, text: str) -> str:
        self._read += len(text)
        self._raw += len(text)
        self._line += len(text)
        self._before = text[-1:] or self._before
        return text

    def _decoded(self, text: str, following: str) -> str:
        """`text` as it is read; with what was before it and what follows, for who looks there."""
        if not text:
            return ""
        lead = len(self._before)
        whole = self._before + text + following
        parts: list[str] = []
        at, end = lead, lead + len(text)
        begun = lead - self._line
        for unit in _units(whole, lead, end):
            kind = unit.lastgroup
            newline = whole.rfind("\n", lead, unit.start()) if kind == "wrap" else -1
            line = unit.start() - (newline + 1 if newline >= 0 else begun)
            made = _meaning(unit, kind, line, whole[unit.end() : unit.end() + 1])
            if made is not None:
                parts += (self._plainly(whole[at : unit.start()]), self._turned(unit[0], made))
                at = unit.end()
        parts.append(self._plainly(whole[at:end]))
        newline = text.rfind("\n")
        self._before, self._line = text[-1], len(text) - newline - 1 if newline >= 0 else self._line + len(text)
        return "".join(parts)

    def _plainly(self, text: str) -> str:
        self._read += len(text)
        self._raw += len(text)
        return text if text.isascii() else text.translate(READING)

    def _turned(self, raw: str, read: str) -> str:
        self._at.append(self._read)
        self._pairs.append((self._raw, self._raw + len(raw), len(read)))
        self._read += len(read)
        self._raw += len(raw)
        return read


def _units(text: str, at: int, end: int) -> Iterator[re.Match[str]]:
    """The units that begin in [at, end), one behind the other; they may look around, and end behind it."""
    while (begin := BEGINS.search(text, at, end)) is not None:
        unit = UNIT.match(text, begin.start())
        at = unit.end() if unit else begin.end()
        if unit:
            yield unit


def _meaning(unit: re.Match[str], kind: str | None, line: int, following: str) -> str | None:
    """What a unit is read as, after so many characters of its line; None is: as it stands."""
    text = unit[0]
    if kind in {"colour", "unseen", "inline"}:
        return ""
    if kind == "entity":
        meant = html.unescape(text)
        return plain(meant) if len(meant) == 1 and _seen(meant) else None
    if kind == "escape":
        return _escaped(text)
    if kind == "marked":
        return text[1]
    if kind == "broken":
        return "-"
    if kind == "block":
        return " "
    if kind == "wrap":
        goes_on = following.islower() or following.isdecimal()
        return " " if line >= WRAPPED or (goes_on and line >= NARROW) else None
    return unicodedata.normalize("NFKC", text) if kind == "several" else None


def _escaped(text: str) -> str | None:
    if text[1] in "nrt":
        return {"n": "\n", "r": "\n", "t": "\t"}[text[1]]
    meant = chr(int(text.lstrip("\\ux"), 16))
    return plain(meant) if _seen(meant) else None


def _seen(character: str) -> bool:
    """Neither a control nor half of a pair nor nothing at all."""
    return unicodedata.category(character)[0] != "C" and character != "\ufffd"


def read_as(text: str) -> str:
    """A whole text as it is read."""
    writing = Writing()
    return "".join(chain((writing.feed(text),), (writing.close(),)))
