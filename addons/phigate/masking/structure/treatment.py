"""What is done with a value of which we know the meaning, and the pair of functions that does it.

A treatment is an entity (the whole value is hidden as that), KEEP (a protocol's own word), SCAN (free text, read with
its label) or PROSE (free text that is read as it stands). Nothing is kept on trust: a kept value that does not look
like a protocol's word is scanned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from phigate.dialect import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEEP, SCAN, PROSE = "keep", "scan", "prose"
DATE, AGE = "DATE_TIME", "AGE"

type Rules = dict[str, str]


def named(lists: Mapping[str, str]) -> Rules:
    """A table from rule -> words to word -> rule."""
    return {word: rule for rule, words in lists.items() for word in words.split()}


_STAMP = re.compile(
    r"(?P<day>\d{4}(?P<dash>-?)(?:0[1-9]|1[0-2])(?P=dash)[0-3]\d)(?P<rest>(?:[T ]?\d\d.{0,30})?)", re.ASCII
)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,9})?)?", re.ASCII)
_DIGIT = re.compile(r"\d", re.ASCII)
_NUMBER = re.compile(r"\s*0*(\d{1,3})(?:\.\d+)?\s*[A-Za-z]{0,10}\s*", re.ASCII)
OLDEST = 89
"""Ages above it are identifiers (45 CFR 164.514(b)(2)(i)(C))."""


class Masker(NamedTuple):
    """How one pair of eyes sees: `render` scans a text and masks what it finds, `hide(entity, text)` all of it."""

    render: Callable[[str], str]
    hide: Callable[[str, str], str]
    document: Callable[[str], str]
    """For a whole document inside another (an attachment): its own structure is seen as well."""

    def treat(self, treatment: str, text: str, label: str = "") -> str:
        if treatment == SCAN:
            return self.scan(text, label)
        if treatment == PROSE:
            return self.render(text)
        if treatment == KEEP:
            return self.keep(text, label)
        return self.hidden(treatment, text)

    def scan(self, text: str, label: str = "") -> str:
        return tree.labelled(label, text, self.render) if label else self.render(text)

    def keep(self, text: str, label: str = "") -> str:
        return str(tree.constant(text, self.render)) if tree.plain(text) else self.scan(text, label)

    def hidden(self, entity: str, text: str) -> str:
        """A value that is nothing but an identifier; what is blank, a year alone or an age up to 89 is none."""
        if not text or text.isspace():
            return text
        if entity == DATE:
            return self._date(text)
        if entity == AGE:
            return self._age(text)
        return self.hide(entity, text)

    def _age(self, text: str) -> str:
        found = _NUMBER.fullmatch(text)
        if not found:
            return self.render(text)
        return self.hide(AGE, text) if int(found[1]) > OLDEST else text

    def _date(self, text: str) -> str:
        """Of a day with a time only the day is hidden, if what stands for it is a day again; else both."""
        if _YEAR.fullmatch(text) or _CLOCK.fullmatch(text):
            return text
        found = _STAMP.fullmatch(text)
        if not found:
            return self.hide(DATE, text) if _DIGIT.search(text) else self.render(text)
        day, rest = found["day"], found["rest"]
        hidden = self.hide(DATE, day)
        same_form = _DIGIT.sub("0", hidden) == _DIGIT.sub("0", day)
        return hidden + rest if same_form else hidden

    def number(self, treatment: str, value: float, label: str = "") -> float | str:
        """A number by its treatment; it becomes a text where it is hidden."""
        if treatment == KEEP or isinstance(value, bool):
            return value
        if treatment in (SCAN, PROSE):
            return tree.number(value, self.render, label)  # type: ignore[no-any-return]  # trees are Any
        text = str(value)
        hidden = self.hidden(treatment, text)
        return value if hidden == text else hidden
