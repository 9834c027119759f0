"""What a request that changes a model may hold: a table of members for each route, and what each of them may be.

A member that no table has is refused, and so is a value of another form: what changes a model is read by somebody who
says yes to it, so nothing of it may mean what nobody here knows. A form is a question that a value answers.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phigate.dialect.codecs import BARE, JSON, LOOSE, TEXT, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.dialect.codecs import Codec

    Form = Callable[[Any], bool]
    Members = Mapping[str, Form]

_LONGEST = 64 * 1024
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def fault_of(tree: dict[str, Any], members: Members) -> str | None:
    """Why a body is not what its table says, as the reason of a refusal."""
    if not tree.keys() <= members.keys():
        return "member-unknown"
    return None if all(members[name](value) for name, value in tree.items()) else "malformed"


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def count(value: Any) -> bool:
    return isinstance(value, int) and not flag(value) and 0 <= value < 2**32


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not flag(value)


def text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def word(value: Any) -> bool:
    """A text in one line: a name, a path, an address."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()


def file(value: Any) -> bool:
    """A file's name that leads into no other folder."""
    return isinstance(value, str) and bool(_FILE.fullmatch(value))


def nothing(value: Any) -> bool:
    """Members that clients send empty, whose content would mean something else than was asked for."""
    return isinstance(value, str) and not value


def scalar(value: Any) -> bool:
    return flag(value) or number(value) or text(value)


def one_of(*known: str) -> Form:
    return lambda value: isinstance(value, str) and value in known


def formed(form: re.Pattern[str]) -> Form:
    return lambda value: isinstance(value, str) and bool(form.fullmatch(value))


def listed(form: Form) -> Form:
    return lambda value: isinstance(value, list) and all(map(form, value))


def either(*forms: Form) -> Form:
    return lambda value: any(form(value) for form in forms)


def mapped(name: Form, form: Form) -> Form:
    """An object whose members are named by the caller."""
    return lambda value: isinstance(value, dict) and all(name(key) and form(item) for key, item in value.items())


def member(**members: Form) -> Form:
    """An object that has these members at most."""
    return lambda value: isinstance(value, dict) and fault_of(value, members) is None


NONE: Members = MappingProxyType({})
"""A body in which there is nothing to say."""


class Said(Json):
    """JSON, or nothing where a server says that it would be JSON; `null` says as much as an object without members."""

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        if not content:
            return ""
        tree = super().read(content, head)
        return {} if tree is None else tree

    def write(self, tree: Any) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        content, head = super().write(tree)
        return (b"" if tree == "" else content), head


class Listed(Json):
    """A body that is a list: an object whose only member, `items`, is that list."""

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        return {ITEMS: super().read(content, head)}

    def write(self, tree: Any) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        return super().write(tree[ITEMS])

    def doubles(self, content: bytes, tree: Any) -> bool:
        return super().doubles(content, tree[ITEMS])


ITEMS = "items"
READS: Mapping[str, Codec] = MappingProxyType({"application/json": JSON, "": BARE})
"""Many calls have nothing to say, and clients leave their bodies out."""
ANSWERS: Mapping[str, Codec] = MappingProxyType({"application/json": Said(), "text/plain": TEXT, "": LOOSE})
"""What is told of a change: JSON, a sentence, or nothing."""
