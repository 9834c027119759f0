"""What a prompt is compared with: RE2 patterns, and the form of a text in which they look.

Both are linear in the length of the text: RE2 never backtracks, and runs of combining marks are cut to 30 before
Unicode normalisation, whose reordering is quadratic in such a run (UAX 15, Stream-Safe Text Format). A long text is
normalised piece by piece: all of one would keep the interpreter, and everybody else, for a minute.
"""

from __future__ import annotations

import unicodedata
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARKS_AT_MOST = 30
_PIECE = 4096
"""Characters that are normalised at once, about."""
_LOOK_BACK = 4
"""Characters before an edge that could join what comes behind it: a syllable of Hangul has three."""

# These five have combining class 0 and yet decompose into nothing but marks (tests/policy/test_patterns.py).
_MARKS_IN_DISGUISE = (0xF73, 0xF75, 0xF81, 0xFF9E, 0xFF9F)

# Drawn as nothing: between two letters they hide a word from a pattern, not from a model.
_INVISIBLE = dict.fromkeys(
    (
        *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0200),
    )
)


class BadPatternError(ValueError):
    """RE2 cannot run this pattern; the message is RE2's own."""


def compile_pattern(pattern: str) -> Any:
    """An RE2 pattern, quiet; raises BadPatternError."""
    try:
        return re2.compile(pattern, _options())
    except re2.error as error:
        cause = error.args[0] if error.args else b""
        raise BadPatternError(cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)) from None
    except UnicodeEncodeError:
        raise BadPatternError("not valid Unicode") from None


def readable(text: str) -> bytes:
    """The text as patterns see it: NFKC, without invisible characters, UTF-8 (lone surrogates become `?`)."""
    seen = bytearray()
    _add(text, seen)
    return bytes(seen)


def _add(text: str, seen: bytearray) -> None:
    """One sign may become eighteen: all of them are never there in more than one form."""
    if text.isascii():
        seen += text.encode()
        return
    data = text.encode("utf-8", "replace")
    if _long_runs().search(data):
        data = _long_runs().sub(rb"\1", data)
    for piece in _pieces(data.decode()):
        form = _normal(piece)
        raw = form.encode()
        # Taking them out costs a hundred times what finding none does.
        seen += form.translate(_INVISIBLE).encode() if _invisible().search(raw) else raw


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces that are normalised alone as they are together."""
    at = 0
    while at < len(text):
        edge = at + _PIECE
        while edge < len(text) and not _is_edge(text, edge):
            edge += 1
        yield text[at:edge]
        at = edge


def _is_edge(text: str, at: int) -> bool:
    """Whether nothing before `at` is composed or reordered with what comes behind it (UAX 15, 9)."""
    character, before = text[at], text[max(0, at - _LOOK_BACK) : at]
    if character.isascii():
        return True
    begins = unicodedata.normalize("NFKD", character)
    return not unicodedata.combining(begins[0]) and _normal(before + character) == _normal(before) + _normal(character)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


class Prompt:
    """A prompt's texts in every form in which a pattern looks: each alone, and joined with and without a space.

    The joins find what a caller spread over several messages or content parts. Forms may be large: each is made when a
    pattern gets so far, and what stands alone is kept as a part of what is joined (nothing joins with a space).
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts

    @cached_property
    def _spaced(self) -> tuple[memoryview, ...]:
        """Each text alone, and joined with a space."""
        joined = bytearray()
        edges: list[tuple[int, int]] = []
        for text in self._texts:
            joined += b" " if edges else b""
            begin = len(joined)
            _add(text, joined)
            edges.append((begin, len(joined)))
        whole = memoryview(joined)
        alone = tuple(whole[begin:end] for begin, end in edges)
        return alone if len(alone) < 2 else (*alone, whole)

    @cached_property
    def _run_together(self) -> tuple[bytearray, ...]:
        if len(self._texts) < 2:
            return ()
        joined = bytearray()
        _add("".join(self._texts), joined)
        return (joined,)

    @property
    def forms(self) -> Iterator[bytearray | memoryview]:
        yield from self._spaced
        yield from self._run_together

    def matches(self, patterns: tuple[Any, ...]) -> bool:
        return any(pattern.search(form) for form in (self.forms if patterns else ()) for pattern in patterns)


@cache
def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


@cache
def _long_runs() -> Any:
    marks = [point for point in range(0x300, 0x20000) if unicodedata.combining(chr(point))]
    each = _any_of((*marks, *_MARKS_IN_DISGUISE))
    return re2.compile(f"({each}{{{_MARKS_AT_MOST}}}){each}+", _options())


@cache
def _invisible() -> Any:
    return re2.compile(_any_of(_INVISIBLE), _options())


def _any_of(points: Iterable[int]) -> str:
    return "[" + "".join(rf"\x{{{point:x}}}" for point in points) + "]"
