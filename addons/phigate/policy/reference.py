"""Every key of the policy's language in one table, printed from the schema: `python -m phigate.policy.reference`."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from phigate.policy.fields import Beside, Says, Section
from phigate.policy.masks import Mask
from phigate.policy.schema import Policy
from phigate.policy.words import ACTIONS, ALGORITHMS, ENTITIES, OTHER, PURPOSES, TRANSFORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

type Row = tuple[str, str, str, str]

_HEAD: Row = ("key", "type", "default", "meaning")


def table() -> str:
    """The table of keys and the closed lists of words, as Markdown."""
    lines = [_line(_HEAD), _line(("---",) * 4), *(_line(row) for row in rows(Policy, ""))]
    return "\n".join([*lines, "", *_words()]) + "\n"


def rows(section: type[Section], place: str) -> Iterator[Row]:
    """(key with its place, type, default, meaning) of a section and of all below it, in the order of the schema."""
    for name, field in section.model_fields.items():
        key = place + (field.alias or name)
        many, mapped, below = _shape(field.annotation)
        yield f"`{key}`", _type(field, many=many, below=below), _default(field), field.description or ""
        if below:
            yield from rows(below, f"{key}{'.NAME' * mapped}{'[]' * (many and not mapped)}.")


def _shape(annotation: Any) -> tuple[bool, bool, type[Section] | None]:
    """Whether a list, whether by name, and of which section, if of one."""
    parts = list(_parts(annotation))
    below = next((part for part in parts if isinstance(part, type) and issubclass(part, Section)), None)
    return any(_is(part, tuple) for part in parts), any(_is(part, dict) for part in parts), below


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation.section if isinstance(annotation, Beside) else annotation
    alias = getattr(getattr(annotation, "__origin__", None), "__value__", None)
    for part in (*((alias,) if alias is not None else ()), *get_args(annotation)):
        yield from _parts(part)


def _is(part: Any, kind: type) -> bool:
    return getattr(part, "__origin__", None) is kind


def _type(field: FieldInfo, *, many: bool, below: type[Section] | None) -> str:
    if whole := _last(field.metadata):
        return whole
    each = _says(field.annotation) or ("mapping" if below else "whole number")
    return f"list: {each}" if many else each


def _says(annotation: Any) -> str | None:
    """The nearest to the outside; of several at one place the last, which refines those before it."""
    own = _last(getattr(annotation, "__metadata__", ()))
    return own or next(filter(None, map(_says, get_args(annotation))), None)


def _last(metadata: Iterable[Any]) -> str | None:
    said = [part.text for part in metadata if isinstance(part, Says)]
    return said[-1] if said else None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return f"`{_written(value)}`" if value not in (None, (), {}) else ""


def _written(value: Any) -> str:
    """A default as an operator would write it."""
    if isinstance(value, timedelta):
        days = f"P{value.days // 366}Y" if value.days >= 366 else f"P{value.days}D"
        return days if value.days and not value.seconds else f"PT{int(value.total_seconds())}S"
    if isinstance(value, Mask):
        return _pairs((entity, transform.name) for entity, transform in value.transforms.items())
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, Section):
        stated = ((field.alias or name, getattr(value, name)) for name, field in type(value).model_fields.items())
        return _pairs((key, _written(item)) for key, item in stated if item not in (None, ()))
    return str(value)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


def _words() -> list[str]:
    lists: dict[str, Iterable[str]] = {
        "actions": sorted(ACTIONS),
        "purposes": sorted(PURPOSES),
        "algorithms": sorted(ALGORITHMS),
        "transforms, strictest first": TRANSFORMS,
        "entities": [*sorted(ENTITIES), OTHER],
    }
    return [f"- **{kind}**: " + ", ".join(f"`{word}`" for word in words) for kind, words in lists.items()]


def _line(row: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


if __name__ == "__main__":
    sys.stdout.write(table())
