"""The shapes in which the tables are written: one channel of one protocol, what is asked, and what is answered.

An answer is written as its protocol has it, with markers where the text stands. A streamed one has a beginning, the
events that are sent once for each piece of the text, and an end.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Said:
    """A place in a template; `part` names what stands there, `form` how it is written."""

    part: str
    form: Callable[[str], Any] = str

    def written(self, form: Callable[[str], Any]) -> Said:
        return replace(self, form=form)


PIECE: Final = Said("piece")
"""The piece of the text that this event carries."""
SO_FAR: Final = Said("so far")
"""All pieces up to this event, where a protocol repeats them each time."""
WHOLE: Final = Said("whole")
MODEL: Final = Said("model")
TURN: Final = Said("turn")
"""A text that is another one in each request, so that nobody answers from a cache."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an event stream that is no data: a comment, or another field."""

    start: str
    text: Any
    end: str = "\n\n"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request; `path` may hold `{model}`, `body` is a template, bytes, or None where there is none."""

    path: str
    body: Any = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)


_WHOLE: Final = frozenset({"json", "text", "lines", "tensors"})
"""Framings of answers that are no streams."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell's half: a channel, whole or streamed.

    `spoken` is the channel's text as it is cut into pieces; `innocent` what must be left of it. `ends` are pairs of a
    path and the value that some event must hold there, None for any but null; the last is in the last event. `embedded`
    names the keys whose text is JSON. `agree`: every repeat of the text must say the same. `letters`: an
    event carries one character, not more.
    """

    dialect: str
    channel: str
    ask: Ask
    framing: str
    head: tuple[Any, ...] = ()
    each: tuple[Any, ...] = ()
    tail: tuple[Any, ...] = ()
    spoken: str = probe.TEXT
    innocent: tuple[str, ...] = probe.INNOCENT
    status: int = 200
    headers: Mapping[str, Said | str] = field(default_factory=dict)
    ends: tuple[tuple[str, Any], ...] = ()
    embedded: frozenset[str] = frozenset()
    agree: bool = False
    letters: bool = False
    escaped: bool = False
    encoding: str = ""
    transport: str = "http"

    @property
    def streamed(self) -> bool:
        return self.framing not in _WHOLE

    @property
    def name(self) -> str:
        return f"{self.dialect} / {self.channel} / {'stream' if self.streamed else 'whole'}"

    @property
    def witnessed(self) -> bool:
        """Whether the answer says something in another channel, too."""
        return _holds((self.head, self.each, self.tail), probe.WITNESS)


def _holds(node: Any, text: str) -> bool:
    if isinstance(node, dict):
        return any(_holds(value, text) for value in node.values())
    if isinstance(node, list | tuple):
        return any(_holds(item, text) for item in node)
    return isinstance(node, str) and text in node


def fill(node: Any, words: Mapping[str, str]) -> Any:
    """A template with its places filled."""
    if isinstance(node, Said):
        return node.form(words[node.part])
    if isinstance(node, Line):
        return replace(node, text=fill(node.text, words))
    if isinstance(node, dict):
        return {key: fill(value, words) for key, value in node.items()}
    if isinstance(node, list):
        return [fill(item, words) for item in node]
    return node


# -- how a text is written where it is not simply a string ------------------------------------------------------------

_TOKEN: Final = 3
"""Characters of a token: too few to find anything in."""


def tokens(text: str) -> list[str]:
    return [text[at : at + _TOKEN] for at in range(0, len(text), _TOKEN)]


def each_token(make: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """A list with one item a token."""
    return lambda text: [make(token) for token in tokens(text)]


def octets(text: str) -> list[int]:
    return list(text.encode())


def ids(text: str) -> list[int]:
    """Token ids of a vocabulary that anybody can read: code points."""
    return [ord(letter) for letter in text]


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# -- arguments of tools: JSON in a string -----------------------------------------------------------------------------

ARGUMENTS: Final = json.dumps({"to": 'the "ward" \\ team', "note": probe.TEXT})
"""With quotes, a backslash and a pair of surrogates, all escaped."""
ESCAPED: Final = (
    ARGUMENTS.replace("@", r"\u0040").replace("5-0147", r"5\u002d0147").replace("36-22", r"\u00336-\u00322")
)
"""Identifiers that are escaped themselves, as JSON permits for any character."""
NUMBERS: Final = json.dumps({"drug": "furosemide 40 mg", "mrn": 77310042, "ssn": 536228145, "then": "ward round"})
"""Identifiers that are numbers."""
NESTED: Final = json.dumps({"body": json.dumps({"list": [{"note": probe.TEXT}]})})
"""JSON in a string in JSON in a string."""
DOCUMENT: Final = json.dumps({"note": probe.TEXT, "mrn": "77310042"}, ensure_ascii=False)


def as_object(text: str) -> dict[str, Any]:
    """Arguments that a protocol carries as an object."""
    return {"to": 'the "ward" \\ team', "list": [{"note": text}]}
