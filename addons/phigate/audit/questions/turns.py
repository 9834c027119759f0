"""Who said what in a body of the journal: bodies in, (who, text) out; the text is as untrusted as the body was.

Known are the shapes of the chat protocols. Anything else is shown as the JSON that it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

type Turn = tuple[str, str]
"""Who, and what they said."""

BODY: Final = "body"
"""Who says it where a body has no shape that is known."""
_LISTS: Final = ("messages", "choices", "input")
_TEXTS: Final = (("prompt", "user"), ("input", "user"), ("response", "assistant"), ("content", "assistant"))
"""Members that are one text (or a list of pieces of one), and who says it."""


def turns(body: object) -> list[Turn]:
    """What was said, in order."""
    if body is None:
        return []
    if isinstance(body, dict) and (found := _told(body)):
        return found
    return [(BODY, body if isinstance(body, str) else pretty(body))]


def _told(body: Mapping[str, Any]) -> list[Turn]:
    system = [("system", text)] if (text := _joined(body.get("system"))) else []
    for name in _LISTS:
        said = body.get(name)
        if isinstance(said, list) and said and all(isinstance(turn, dict) for turn in said):
            return [*system, *map(_said, said)]
    message = body.get("message")
    if isinstance(message, dict):
        return [_said(message)]
    for name, who in _TEXTS:
        if text := _joined(body.get(name)):
            return [*system, (str(body.get("role", who)), text)]
    return []


def _said(turn: Mapping[str, Any]) -> Turn:
    message = turn.get("message")
    inner = message if isinstance(message, dict) else turn
    content = inner.get("content", inner.get("text"))
    rest = {name: value for name, value in inner.items() if name not in ("role", "content", "text") and value}
    shown = [_joined(content) or pretty(content)] if content is not None else []
    hidden = [pretty(rest)] if rest and (content is None or inner is message) else []
    return str(inner.get("role", "text")), "\n".join([*shown, *hidden])


def _joined(content: object) -> str:
    """A text, or a list of pieces that are texts; else nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [piece.get("text") if isinstance(piece, dict) else piece for piece in content]
    whole = all(isinstance(text, str) for text in texts) and texts
    return "\n".join(map(str, texts)) if whole else ""


def pretty(value: object) -> str:
    """JSON for people."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        return "(not readable as JSON)"
