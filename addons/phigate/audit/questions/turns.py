"""Who said what in a body of the journal: bodies in, (who, text) out; the text is as untrusted as the body was.

Known are the shapes of the chat protocols. Anything else is shown as the JSON that it is. `turns` is for who reads;
`whole` for who decides by what they read: it leaves out nothing that the body holds.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

type Turn = tuple[str, str]
"""Who, and what they said."""

BODY: Final = "body"
"""Who says it where a body has no shape that is known."""
BESIDE: Final = "beside that"
"""Where all else stands that such a body holds."""
_LISTS: Final = ("messages", "choices", "input")
_TEXTS: Final = (("prompt", "user"), ("input", "user"), ("response", "assistant"), ("content", "assistant"))
"""Members that are one text (or a list of pieces of one), and who says it."""


def turns(body: object) -> list[Turn]:
    """What was said, in order."""
    if body is None:
        return []
    if isinstance(body, dict) and (found := _told(body, whole=False)[0]):
        return found
    return [(BODY, body if isinstance(body, str) else pretty(body))]


def whole(body: object) -> list[Turn]:
    """The same, and after it whatever a request may do beside that: instructions, tools, what a model is made from."""
    if not isinstance(body, dict):
        return turns(body)
    found, shown = _told(body, whole=True)
    rest = {name: value for name, value in body.items() if name not in shown}
    return [*found, (BESIDE if found else BODY, pretty(rest))] if rest or not found else found


def _told(body: Mapping[str, Any], *, whole: bool) -> tuple[list[Turn], set[str]]:
    """What was said, and the members in which it stands; with `whole` all of these is shown."""
    text = _joined(body.get("system"), whole=whole)
    system, shown = ([("system", text)], {"system"}) if text else ([], set())
    for name in _LISTS:
        said = body.get(name)
        if isinstance(said, list) and said and all(isinstance(turn, dict) for turn in said):
            return [*system, *(_said(turn, whole=whole) for turn in said)], {*shown, name}
    message = body.get("message")
    if isinstance(message, dict):
        return [_said(message, whole=whole)], {"message"}
    for name, who in _TEXTS:
        if text := _joined(body.get(name), whole=whole):
            return [*system, (str(body.get("role", who)), text)], {*shown, name, "role"}
    return [], set()


def _said(turn: Mapping[str, Any], *, whole: bool) -> Turn:
    message = turn.get("message")
    inner = message if isinstance(message, dict) else turn
    name = "content" if "content" in inner else "text"
    content = inner.get(name)
    known = {"role", name} if whole else {"role", "content", "text"}
    rest = {name: value for name, value in inner.items() if name not in known and (value or whole)}
    shown = [_joined(content, whole=whole) or pretty(content)] if content is not None else []
    hidden = [pretty(rest)] if rest and (whole or content is None or inner is message) else []
    around = {name: value for name, value in turn.items() if name != "message"} if whole and inner is message else {}
    texts = [*shown, *hidden, *([pretty(around)] if around else [])]
    return str(inner.get("role", "text")), "\n".join(texts)


def _joined(content: object, *, whole: bool) -> str:
    """A text, or a list of pieces that are texts; else nothing. With `whole` no piece holds anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    if whole and any(isinstance(piece, dict) and not piece.keys() <= {"type", "text"} for piece in content):
        return ""
    texts = [piece.get("text") if isinstance(piece, dict) else piece for piece in content]
    every = all(isinstance(text, str) for text in texts) and texts
    return "\n".join(map(str, texts)) if every else ""


def pretty(value: object) -> str:
    """JSON for people."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # it holds a number of more than 64 bits, or half a character
        with suppress(TypeError, ValueError, RecursionError):
            return json.dumps(value, indent=2, ensure_ascii=False)
        return "(not readable as JSON)"
