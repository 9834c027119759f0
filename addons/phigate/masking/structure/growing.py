"""Structures in a text that is still growing: prose is given out as it comes, a structure once it is whole.

Rules of this file:
- Where a structure begins and ends depends on the text alone: any chunks give the same, and the whole text is the
  stream with one feed.
- One begins at the beginning of a line: a JSON value, an HL7 v2 message, a Markdown table, a fenced block of CSV. What
  begins elsewhere, or is longer than LONGEST, is prose. A JSON value that the end cuts is read as far as it goes.
- Text is looked at once: what is held is not gone through again when more comes.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from phigate.masking.structure import hl7, table
from phigate.masking.structure.recognise import Structure, structured

if TYPE_CHECKING:
    from phigate.masking.structure.treatment import Masker

LONGEST = 64 * 1024
"""Characters of a structure that is waited for."""

SHORT = 140
"""Characters that show whether a structure begins."""

_BREAK = re.compile(r"[\r\n]")
_NEXT = re.compile(r"[\r\n](?=[ \t]{0,12}(?:[{\[|`~\x0b\r\n]|M(?:S|\Z)|F(?:H|\Z)|B(?:H|\Z)|\Z))")
"""The end of a line, before one that may begin a structure."""
_JSON = re.compile(r'[ \t]{0,12}(?:\{[ \t\r\n]{0,100}(?:"|\})|\[[ \t\r\n]{0,100}(?:["\[{]))')
_MAYBE_JSON = re.compile(r"[ \t]{0,12}(?:[{\[][ \t\r\n]{0,100})?\Z")
_MAYBE_MESSAGE = re.compile(r"\x0b?(?:M|MS|F|FH|B|BH|(?:MSH|FHS|BHS)(?:[^\w\s]{0,6})?)?\Z", re.ASCII)
_FENCE = re.compile(r"(`{3,10}|~{3,10})[ \t]{0,8}(?:csv|tsv)[ \t]{0,8}\r?\n", re.IGNORECASE)
_MAYBE_FENCE = re.compile(r"(?:`{1,10}|~{1,10})[ \t]{0,8}(?:c|cs|csv|t|ts|tsv)?[ \t]{0,8}\r?\Z", re.IGNORECASE)
_TABLE = re.compile(r"[ \t]{0,3}\|")
_MAYBE_TABLE = re.compile(r"[ \t]{0,3}\Z")
_OF_RULE = re.compile(r"[ \t|:-]*+")
_MARK = re.compile(r'["{}\[\]]')
_INSIDE = re.compile(r'["\\]')

_MARKS = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)
_ESCAPING = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9A-Fa-f]{0,3})?\Z")
"""An escape that is not whole, or a backslash before what it escapes."""
_RESTS_QUOTED = ('"', '":null')
_RESTS = ("", ":null", "null", '"":null', "0", "e", "ue", "rue", "l", "ll", "ull", "se", "lse", "alse")
"""What may make a value whole that was cut somewhere."""


class _End(NamedTuple):
    """Where what is held ends; `fresh`: at the end of a line. No end: more text must come."""

    at: int
    fresh: bool = False
    is_structure: bool = True
    head: int = 0
    """Where the structure itself begins (what is before belongs to the prose)."""


class Growing:
    """One text as it grows: feed it in any chunks, close it once; the pieces joined are the text."""

    def __init__(self) -> None:
        self._text = ""
        self._fresh = True
        self._reader: _Json | _Message | _Table | _Fenced | None = None

    @property
    def held(self) -> int:
        """Characters held back."""
        return len(self._text)

    def feed(self, text: str) -> list[str | Structure]:
        """Prose, and structures that are whole now, in order."""
        self._text += text
        return self._advance(final=False)

    def close(self) -> list[str | Structure]:
        """What was held back."""
        return self._advance(final=True)

    def _advance(self, *, final: bool) -> list[str | Structure]:
        out: list[str | Structure] = []
        text, at = self._text, 0
        while at < len(text):
            if not self._fresh:
                found = _NEXT.search(text, at)
                end = found.end() if found else len(text)
                self._fresh = found is not None
                out.append(text[at:end])
                at = end
                continue
            if self._reader is None:
                if not final and _undecided(text, at):
                    break
                self._reader = _reader(text, at)
            if self._reader is None:
                if _BREAK.match(text, at):
                    out.append(text[at])
                    at += 1
                else:
                    self._fresh = False
                continue
            end = self._read(text[at : at + LONGEST + 1], out, final=final)
            if not end:
                break
            at += end
        self._text = text[at:]
        return out

    def _read(self, text: str, out: list[str | Structure], *, final: bool) -> int:
        """Go on with the structure that has begun; how many characters were given out."""
        end = self._reader.end(text, final=final) if self._reader else None
        if len(text) > LONGEST and (end is None or end.at > LONGEST):
            end = _End(LONGEST, is_structure=False)
        if end is None:
            return 0
        if end.is_structure:
            found = structured(text[end.head : end.at])
        else:
            found = _cut_short(text) if isinstance(self._reader, _Json) and end.at == len(text) else None
        head = end.head if found else end.at
        if head:
            out.append(text[:head])
        if found:
            out.append(found)
        self._fresh, self._reader = end.fresh, None
        return end.at


def _cut_short(text: str) -> Structure | None:
    """A JSON value that ends before it is whole, with a model's last token: read as if it had been closed."""
    closing, quoted = [], False
    for mark in _MARKS.finditer(text):
        if mark[0] == '"':
            quoted = not quoted
        elif not quoted and mark[0] in "{[":
            closing.append("}" if mark[0] == "{" else "]")
        elif not quoted and mark[0] in "}]" and closing:
            closing.pop()
    body = _ESCAPING.sub(r"\1", text) if quoted else text
    for rest in _RESTS_QUOTED if quoted else _RESTS:
        ending = rest + "".join(reversed(closing))
        if found := structured(body + ending):
            return Structure(found.kind, partial(_made_of, text, body, ending, found))
    return None


def _made_of(text: str, body: str, ending: str, found: Structure, eyes: Masker) -> str:
    made = _without(ending, found.made(eyes))
    return text if made == body else made


def _without(ending: str, text: str) -> str:
    for each in reversed(ending):
        text = text.rstrip().removesuffix(each)
    return text


def _reader(text: str, at: int) -> _Json | _Message | _Table | _Fenced | None:
    """What begins here, if it is a structure."""
    if _JSON.match(text, at):
        return _Json()
    if head := hl7.HEAD.match(text, at):
        return _Message(head["field"])
    if fence := _FENCE.match(text, at):
        return _Fenced(fence[1], fence.end() - at)
    return _Table() if _TABLE.match(text, at) else None


def _undecided(text: str, at: int) -> bool:
    """Whether more text could make a structure of what begins here."""
    start = text[at : at + SHORT + 1]
    may = (_MAYBE_JSON, _MAYBE_MESSAGE, _MAYBE_FENCE, _MAYBE_TABLE)
    return len(start) <= SHORT and any(each.match(start) for each in may)


class _Json:
    """A JSON value: to the bracket that closes its first."""

    def __init__(self) -> None:
        self._at, self._depth, self._quoted = 0, 0, False

    def end(self, text: str, *, final: bool) -> _End | None:
        while found := (_INSIDE if self._quoted else _MARK).search(text, self._at):
            mark = found[0]
            if mark == "\\":
                if found.end() == len(text):
                    self._at = found.start()
                    break
                self._at = found.end() + 1
                continue
            self._at = found.end()
            if mark == '"':
                self._quoted = not self._quoted
            else:
                self._depth += 1 if mark in "{[" else -1
                if self._depth <= 0:
                    return _End(self._at)
        else:
            self._at = len(text)
        return _End(len(text), is_structure=False) if final else None


class _Message:
    """An HL7 v2 message: as long as lines are segments."""

    def __init__(self, field: str) -> None:
        self._at, self._field = 0, field

    def end(self, text: str, *, final: bool) -> _End | None:
        while self._at < len(text):
            found = _BREAK.search(text, self._at)
            stop, after = found.span() if found else (len(text), -1)
            line = text[self._at : stop]
            told = after > 0 or final or len(line) > len("\x0bMSH|")
            if told and not self._goes_on(line):
                return _End(self._at, fresh=True)
            if after < 0:
                break
            self._at = after
        return _End(len(text)) if final else None

    def _goes_on(self, line: str) -> bool:
        segment = hl7.SEGMENT.match(line)
        return segment is not None and line[segment.end() : segment.end() + 1] in ("", self._field)


class _Table:
    """A Markdown table: a line, a line of dashes, and lines that begin with a bar."""

    def __init__(self) -> None:
        self._at, self._lines = 0, 0

    def end(self, text: str, *, final: bool) -> _End | None:
        while self._at < len(text):
            newline = text.find("\n", self._at)
            line = text[self._at : newline if newline >= 0 else len(text)].rstrip("\r")
            done = newline >= 0 or final
            if self._lines == 1 and not (table.is_rule(line) if done else _OF_RULE.fullmatch(line)):
                return _End(self._at, fresh=True, is_structure=False)
            if self._lines > 1 and not _TABLE.match(line) and (done or not _MAYBE_TABLE.match(line)):
                return _End(self._at, fresh=True, is_structure=self._lines > 2)
            if newline < 0:
                break
            self._at, self._lines = newline + 1, self._lines + 1
        return _End(len(text), is_structure=self._lines > 1) if final else None


class _Fenced:
    """A fenced block of CSV."""

    def __init__(self, mark: str, begin: int) -> None:
        self._mark, self._begin, self._at = mark, begin, begin

    def end(self, text: str, *, final: bool) -> _End | None:
        found = text.find("\n" + self._mark, self._at - 1)
        if found >= 0:
            return _End(max(found + 1, self._begin), fresh=False, head=self._begin)
        self._at = max(self._begin, len(text) - len(self._mark))
        return _End(len(text), head=self._begin) if final else None


def pieces(text: str) -> list[str | Structure]:
    """Prose and structures of a whole text, the very ones that a Growing gives for it."""
    growing = Growing()
    return [*growing.feed(text), *growing.close()]
