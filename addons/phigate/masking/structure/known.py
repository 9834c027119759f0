"""What one place of a document says is an identifier is one in its free text too.

The family name of a `Patient` is hidden in the narrative beside it, even where no detector would see it there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TOKEN = re.compile(r"\w+")
LEAST = {"PERSON": 3, "LOCATION": 6, "ORGANIZATION": 6}
"""Letters and digits that a value must have to be looked for; other kinds: five, and a digit or an @."""
PLACES = frozenset(("LOCATION", "ORGANIZATION"))
"""One word of these (`Emergency`, `Radiology`) is often a word of everybody's."""
_NOT = frozenset(("DATE_TIME", "AGE", "PHOTO", "ZIP"))
"""Too common, or found as well by what they look like."""
MOST = 20_000
"""Values that are looked for; a larger document is scanned as it is from there on."""


class Known:
    """Values and their entities, found again in a text by their first word."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        self._by_word: dict[str, list[tuple[str, str]]] = {}
        seen: set[str] = set()
        for entity, value in values:
            text = _trimmed(value)
            if text in seen or len(seen) >= MOST or not _telling(entity, text):
                continue
            seen.add(text)
            for written in _written(entity, text):
                if first := _TOKEN.match(written):
                    self._by_word.setdefault(first[0], []).append((written, entity))
        for rows in self._by_word.values():
            rows.sort(key=lambda row: -len(row[0]))

    def around(self, render: Callable[[str], str], hide: Callable[[str, str], str]) -> Callable[[str], str]:
        """The same rendering, after which no known value is left."""
        if not self._by_word:
            return render

        def both(text: str) -> str:
            return self._hidden(render(text), hide)

        return both

    def _hidden(self, text: str, hide: Callable[[str, str], str]) -> str:
        if self._by_word.keys().isdisjoint(_TOKEN.findall(text)):
            return text
        out, at = [], 0
        for found in _TOKEN.finditer(text):
            rows = self._by_word.get(found[0]) if found.start() >= at else None
            for value, entity in rows or ():
                end = found.start() + len(value)
                if text.startswith(value, found.start()) and not text[end : end + 1].isalnum():
                    out += [text[at : found.start()], hide(entity, value)]
                    at = end
                    break
        return "".join([*out, text[at:]]) if out else text


def _trimmed(value: str) -> str:
    text = value.strip()
    while text and not (text[0].isalnum() or text[0] == "_"):
        text = text[1:]
    while text and not text[-1].isalnum():
        text = text[:-1]
    return text


def _written(entity: str, text: str) -> set[str]:
    """A name in its own letters, with capitals, and in capitals (as HL7 v2 has them); never in small ones."""
    if entity not in LEAST:
        return {text}
    return {each for each in (text, text.title(), text.upper()) if not each.islower()}


def _telling(entity: str, text: str) -> bool:
    if entity in _NOT:
        return False
    size = sum(map(str.isalnum, text))
    if entity in PLACES and " " not in text:
        return False
    if entity in LEAST:
        return size >= LEAST[entity]
    return size >= 5 and any(each.isdecimal() or each == "@" for each in text)
