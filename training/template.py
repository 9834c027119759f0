"""
The small language of templates: text with `{slots}` and `[this|or that|]`.

- Alternatives nest and may hold slots; an empty one says nothing. Outside brackets `|` is itself.
- `{{` `}}` `[[` `]]` are the characters themselves. Inside brackets `]]` closes two of them, unless a `[[` stands open.
- A slot is `{name}` or `{name.form.form}`; `{1-28}` is a number of that range, `{A99}` a letter and two digits.
- A file of templates begins with `# kind: query`; `---` alone on a line parts templates.

A template that breaks these rules raises `TemplateError` with what it could not read.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{([A-Za-z0-9_.-]+)\}|[\[\]|{}]|[^\[\]|{}]+")


class TemplateError(ValueError):
    """A template cannot be read."""


class Piece(NamedTuple):
    """A stretch of text of one origin: template text (`slot` empty) or what filled a slot; a label if to be found."""

    text: str
    label: str | None = None
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[tuple["Part", ...], ...]


type Part = str | Slot | Choice
type Fill = Callable[[Slot], list[Piece]]


def parse(text: str) -> tuple[Part, ...]:
    stack: list[list[list[Part]]] = [[[]]]
    literal_open = [0]
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise TemplateError(f"unreadable at `{text[at : at + 20]}`")
        sign, at = match[0], match.end()
        here = stack[-1][-1]
        nested = len(stack) > 1
        if sign == "]]" and nested and not literal_open[-1]:
            sign, at = "]", at - 1
        if sign in {"[[", "]]"}:
            literal_open[-1] += 1 if sign == "[[" else -1
            here.append(sign[0])
        elif sign in {"{{", "}}"}:
            here.append(sign[0])
        elif sign == "[":
            stack.append([[]])
            literal_open.append(0)
        elif sign == "|" and nested:
            stack[-1].append([])
        elif sign == "]" and nested:
            literal_open.pop()
            options = stack.pop()
            stack[-1][-1].append(Choice(tuple(tuple(option) for option in options)))
        elif match[1]:
            name, *forms = match[1].split(".")
            here.append(Slot(name, tuple(forms)))
        elif sign in {"]", "{", "}"}:
            raise TemplateError(f"`{sign}` without its partner near `{text[max(0, at - 30) : at + 10]}`")
        else:
            here.append(sign)
    if len(stack) > 1:
        raise TemplateError(f"`[` without its partner in `{text[:40]}`")
    return tuple(stack[0][0])


def expand(parts: tuple[Part, ...], rng: Random, fill: Fill) -> Iterator[Piece]:
    for part in parts:
        if isinstance(part, str):
            yield Piece(part)
        elif isinstance(part, Slot):
            yield from fill(part)
        else:
            yield from expand(rng.choice(part.options), rng, fill)


def slots(parts: tuple[Part, ...]) -> Iterator[Slot]:
    """Every slot that stands anywhere in a template."""
    for part in parts:
        if isinstance(part, Slot):
            yield part
        elif isinstance(part, Choice):
            for option in part.options:
                yield from slots(option)


@dataclass(frozen=True, slots=True)
class Template:
    id: str
    kind: str
    parts: tuple[Part, ...]


def load(path: Path) -> list[Template]:
    """The templates of one file; ids count from 1 in the order of the file: `queries-ask-001`."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n")
    kind = re.fullmatch(r"# kind: ([a-z]+)", head.strip())
    if kind is None:
        raise TemplateError(f"{path.name}: its first line is not `# kind: ...`")
    texts = [text.strip("\n") for text in re.split(r"^---[ \t]*$", body, flags=re.MULTILINE)]
    found = []
    for number, text in enumerate((text for text in texts if text.strip()), 1):
        name = f"{path.stem}-{number:03d}"
        try:
            found.append(Template(name, kind[1], parse(text)))
        except TemplateError as bad:
            raise TemplateError(f"{name}: {bad}") from bad
    return found
