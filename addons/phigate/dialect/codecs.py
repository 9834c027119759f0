"""Bodies: from the bytes of one media type to a tree of values and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

Head = list[tuple[bytes, bytes]]

MOST_VALUES = 500_000
"""Strings (names among them), objects and lists of one body."""


class Codec(Protocol):
    """How bodies of one media type are read and written."""

    media: str

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        """The tree in `content`; `head` has lower-case names; raises ValueError, which carries nothing of it."""

    def write(self, tree: Any) -> tuple[bytes, Head]:
        """The body of a tree and the fields of its head, `content-type` first."""


class Json:
    """JSON (RFC 8259), read strictly: UTF-8, no NaN, bounded depth; of two members of one name the last counts.

    Where that may not be, as in requests, `repeats` says so.
    """

    media = "application/json"

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:  # noqa: ARG002 -- others need it
        return orjson.loads(content)

    def write(self, tree: Any) -> tuple[bytes, Head]:
        return orjson.dumps(tree), [(b"content-type", b"application/json")]

    def doubles(self, content: bytes, tree: Any) -> bool:
        """Whether two members of one name stand in what `tree` was read from."""
        return repeats(content, tree)


class Text:
    """Text in UTF-8: a tree that is a string."""

    media = "text/plain"

    def read(self, content: bytes, _head: Mapping[bytes, bytes]) -> Any:
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise ValueError("not UTF-8") from None

    def write(self, tree: Any) -> tuple[bytes, Head]:
        return str(tree).encode(), [(b"content-type", b"text/plain; charset=utf-8")]


class Nothing:
    """No body, and no word of its type: how some servers say that they are well."""

    media = ""

    def read(self, content: bytes, _head: Mapping[bytes, bytes]) -> Any:
        if content:
            raise ValueError("a body of no type")
        return ""

    def write(self, _tree: Any) -> tuple[bytes, Head]:
        return b"", []


class Bare(Json):
    """A body that no media type is said of: JSON, or nothing, which is read as an object without members."""

    media = ""

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        return super().read(content or b"{}", head)


class Loose(Json):
    """A body that no media type is said of: a JSON object or list, else text."""

    media = ""

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        if content.lstrip()[:1] in {b"{", b"["}:
            try:
                return super().read(content, head)
            except ValueError:
                pass
        return TEXT.read(content, head)

    def write(self, tree: Any) -> tuple[bytes, Head]:
        return TEXT.write(tree) if isinstance(tree, str) else super().write(tree)


JSON = Json()
TEXT = Text()
NOTHING = Nothing()
BARE = Bare()
LOOSE = Loose()


def repeats(content: bytes, tree: Any) -> bool:
    """Whether JSON, of which `tree` was read, has an object with two members of one name, however they are written.

    Parsers differ about what counts then (RFC 8259, 4). Each member has one colon outside of strings, and `tree` has
    lost those that do not count; it is no deeper than is written (`tree.too_deep`).
    """
    written = orjson.dumps(tree)
    if b"\\u003" in content:  # a colon in a string may be written as an escape, and is not in `written`
        return _colons(content) != _colons(written)
    return content.count(b":") != written.count(b":")


def _colons(content: bytes) -> int:
    """Those outside of strings: behind every other quote, once those are gone that are part of a string."""
    return b"".join(content.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]).count(b":")


def crowded(content: bytes) -> bool:
    """Whether JSON has more strings, objects and lists than are read: each costs a hundred times its bytes, and a look.

    Braces and brackets within strings count as well, so that nothing has to be read to know it.
    """
    opened = content.count(b"{") + content.count(b"[")
    if opened + content.count(b'"') // 2 <= MOST_VALUES:  # with those that are written within a string
        return False
    return opened + _quotes(content) // 2 > MOST_VALUES


def _quotes(content: bytes) -> int:
    """Those that begin or end a string."""
    return content.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"')


def media_of(head: Mapping[bytes, bytes]) -> tuple[str, str]:
    """(media type, charset) of a head, in lower case; empty where it says nothing."""
    media, _, parameters = head.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    charset = next((part.strip()[8:].strip('" ') for part in parameters.split(";") if "charset=" in part), "")
    return media.strip(), charset
