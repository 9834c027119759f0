"""HL7 v2 messages in the vertical-bar form: each field by what it is, text by what is found in it.

Rules of this file:
- What separates stays as it came: line ends, the bytes that frame a message (MLLP), the separators that MSH states.
- Escapes are decoded before a text is looked at, and what changed is written with escapes again.
- A segment that nobody knows (Z...) is text, field by field; a line that is no segment is text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from phigate.masking.structure import attached
from phigate.masking.structure.codes import IDENTIFIER_TYPES
from phigate.masking.structure.hl7_fields import COMPONENTS, SEGMENTS, VALUES
from phigate.masking.structure.treatment import KEEP, PROSE, SCAN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.masking.structure.treatment import Masker

HEAD = re.compile(r"\x0b?(?:MSH|FHS|BHS)(?P<field>[^\w\s])(?P<rest>[^\w\s]{3,5})(?P=field)", re.ASCII)
"""How a message begins: its separators (HL7 v2.5.1, 2.5.4)."""
HEADS = frozenset(("MSH", "FHS", "BHS"))
SEGMENT = re.compile(r"\x0b?([A-Z][A-Z0-9]{2})(?=[^\w\s]|\Z)", re.ASCII)
_LINE = re.compile(r"(\r\n|\r|\n)")
_ESCAPE = 16
"""Characters of an escape at most; `\\X..\\` may have more."""


class Marks(NamedTuple):
    """The separators of a message."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    sub: str = "&"


def is_message(text: str) -> bool:
    return bool(HEAD.match(text.lstrip(" \t\r\n")))


def rewrite(text: str, masker: Masker) -> str:
    """The same messages with all that identifies hidden."""
    return "".join(_lines(text, masker))


def _lines(text: str, masker: Masker) -> Iterator[str]:
    marks, inside = Marks(), False
    reader = _Fields(marks, masker)
    for at, line in enumerate(_LINE.split(text)):
        if at % 2 or not line.strip("\x0b\x1c \t"):
            yield line
            continue
        head = HEAD.match(line)
        if head:
            marks, inside = Marks(head["field"], *head["rest"][:4].ljust(4, "&")), True
            reader = _Fields(marks, masker)
        segment = SEGMENT.match(line) if inside else None
        if segment and not head and segment[1] in HEADS:
            segment = None  # its separators are not stated: nothing in it is anybody's field
        if segment and line[segment.end() : segment.end() + 1] in ("", marks.field):
            yield _segment(segment[1], line, marks, reader)
        else:
            yield masker.render(line)


def _segment(name: str, line: str, marks: Marks, reader: _Fields) -> str:
    fields = line.split(marks.field)
    head = name in HEADS
    rules = SEGMENTS.get(name)
    kind = fields[2].strip() if name == "OBX" and len(fields) > 2 else ""
    label = _label(fields[3], marks) if name == "OBX" and len(fields) > 3 else ""
    end = fields[-1][-1:] if fields[-1][-1:] == "\x1c" else ""
    if end:
        fields[-1] = fields[-1][:-1]
    for at in range(2 if head else 1, len(fields)):
        number = at + 1 if head else at
        rule = rules.get(number, "CE") if rules else "unknown"
        if rule == "value":
            rule = VALUES.get(kind, SCAN)
        if fields[at]:
            fields[at] = reader.field(rule, fields[at], label if number == 5 else "")
    return marks.field.join(fields) + end


def _label(field: str, marks: Marks) -> str:
    """What an observation is called: its identifier's text, or its code."""
    parts = field.split(marks.component)
    said = next((part for part in (*parts[1:2], *parts[:1]) if part), "")
    return said if len(said) <= 80 and marks.escape not in said else ""


class _Fields:
    """How the fields of one message are read."""

    def __init__(self, marks: Marks, masker: Masker) -> None:
        self._marks = marks
        self._masker = masker
        self._special = re.compile(f"[{re.escape(''.join(marks))}\r\n]")

    def field(self, rule: str, field: str, label: str) -> str:
        if field == '""':  # "delete what you have": nobody's value
            return field
        if self._marks.component not in field and self._marks.repetition not in field:
            return self._whole(rule, field, label)
        parts = field.split(self._marks.repetition)
        if rule == SCAN and len(parts) > 1:  # lines of one text, as OBX-5 often has them
            return self._joined(parts, label)
        return self._marks.repetition.join(self._repetition(rule, part, label) if part else part for part in parts)

    def _whole(self, rule: str, field: str, label: str) -> str:
        """A field of one component."""
        name, _, entity = rule.partition(":")
        if name == "unknown" or rule == SCAN:
            return self._treat(SCAN if rule == SCAN else PROSE, field, label)
        first = "PERSON" if name == "XPN" else COMPONENTS[name].get(1, SCAN) if name in COMPONENTS else rule
        return self._component(first, field, [field], entity, label)

    def _joined(self, parts: list[str], label: str) -> str:
        text = "\n".join(self._decoded(part) for part in parts)
        shown = self._masker.scan(text, label)
        if shown == text:
            return self._marks.repetition.join(parts)
        lines = shown.split("\n")
        if len(lines) != len(parts):
            return self._encoded(shown)
        return self._marks.repetition.join(map(self._encoded, lines))

    def _repetition(self, rule: str, text: str, label: str) -> str:
        name, _, entity = rule.partition(":")
        components = COMPONENTS.get(name)
        parts = text.split(self._marks.component)
        if name == "unknown" or (rule == SCAN and len(parts) > 1):
            return self._unknown(parts)
        if components is None:
            return self._marks.component.join(self._component(rule, part, parts, "", label) for part in parts)
        shown = (
            self._component(components.get(at, SCAN), part, parts, entity, label) for at, part in enumerate(parts, 1)
        )
        return self._marks.component.join(shown)

    def _unknown(self, parts: list[str]) -> str:
        """Text in a place nobody knows: each part alone, then all together, as a name in two parts is one."""
        shown = [self._treat(PROSE, part) for part in parts]
        if shown == parts and sum(any(map(str.isalpha, part)) for part in parts) > 1:
            text = " ".join(self._decoded(part) for part in parts if part)
            together = self._masker.render(text)
            if together != text:
                return self._encoded(together)
        return self._marks.component.join(shown)

    def _component(self, rule: str, text: str, parts: list[str], entity: str, label: str) -> str:
        if not text:
            return text
        if rule == "number":
            rule = _number(parts, entity)
        elif rule == "staff":
            rule = _staff(parts)
        elif rule == "contact":
            rule = _contact(text, parts)
        elif rule == "data":
            return self._data(text, parts)
        elif rule == "UNIQUE_ID" and entity:
            rule = entity
        if self._marks.sub not in text:
            return self._treat(rule, text, label)
        subs = text.split(self._marks.sub)
        return self._marks.sub.join(self._treat(rule, sub, label) for sub in subs)

    def _data(self, text: str, parts: list[str]) -> str:
        """ED: source, type, subtype, encoding, data (HL7 v2.5.1, 2.A.24)."""
        kind, coding = "/".join(parts[1:3]).lower(), (parts[3:4] or [""])[0].upper()
        if coding == "A" or not coding:
            return self._treat(SCAN, text)
        plain = kind.startswith(("text", "txt", "multipart")) or attached.is_text("/".join(parts[1:3]))
        shown = attached.rewrite(text, "text/plain" if plain else kind, self._masker) if coding == "BASE64" else None
        return (
            shown if shown is not None else self._masker.hidden("PHOTO" if kind.startswith("im") else "UNIQUE_ID", text)
        )

    def _treat(self, rule: str, text: str, label: str = "") -> str:
        if rule == KEEP and self._marks.escape not in text:
            return self._masker.keep(text)
        plain = self._decoded(text)
        shown = self._masker.treat(rule, plain, label)
        return text if shown == plain else self._encoded(shown)

    def _decoded(self, text: str) -> str:
        """Escapes as what they stand for; those that only format stay (HL7 v2.5.1, 2.7)."""
        mark = self._marks.escape
        if mark not in text:
            return text
        out, pieces = [], text.split(mark)
        at, last = 0, len(pieces) - 1
        while at <= last:
            out.append(pieces[at])
            if at + 1 < last and (stands := _stands(pieces[at + 1], self._marks)) is not None:
                out.append(stands)
                at += 2
            else:
                out.append(mark * (at < last))
                at += 1
        return "".join(out)

    def _encoded(self, text: str) -> str:
        marks = self._marks
        if not self._special.search(text):
            return text
        names = {marks.field: "F", marks.component: "S", marks.repetition: "R", marks.sub: "T"}
        out = []
        for at, piece in enumerate(_formatting(text, marks.escape)):
            if at % 2:
                out.append(piece)
                continue
            shown = piece.replace(marks.escape, f"{marks.escape}E{marks.escape}")
            for mark, name in names.items():
                shown = shown.replace(mark, f"{marks.escape}{name}{marks.escape}")
            shown = shown.replace("\r\n", "\n").replace("\r", "\n").replace("\n", f"{marks.escape}.br{marks.escape}")
            out.append(shown)
        return "".join(out)


def _stands(name: str, marks: Marks) -> str | None:
    r"""What `\name\` stands for; None for what only formats, or is no escape."""
    known = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.sub,
        "R": marks.repetition,
        "E": marks.escape,
        ".br": "\n",
    }
    if name in known:
        return known[name]
    if name[:1] == "X" and 2 < len(name) <= 400 and len(name) % 2:
        try:
            raw = bytes.fromhex(name[1:])
        except ValueError:
            return None
        return raw.decode("utf-8", "replace")
    return None


def _formatting(text: str, mark: str) -> list[str]:
    """A text in turns: plain, formatting escape, plain, ..."""
    return re.split(
        rf"({re.escape(mark)}(?:[HN]|\.[a-z]{{2}}[+-]?\d{{0,4}}|[CMZ][0-9A-Za-z]{{2,8}}){re.escape(mark)})", text
    )


def _number(parts: list[str], entity: str) -> str:
    """CX: what kind of number component 5 says; else what the field is for."""
    kind = parts[4].strip() if len(parts) > 4 else ""
    return IDENTIFIER_TYPES.get(kind) or entity or "UNIQUE_ID"


def _staff(parts: list[str]) -> str:
    """XCN: a number of a member of staff; component 9 is who gave it, 13 its kind."""
    said = [part.partition("&")[0].strip().upper() for part in (*parts[8:9], *parts[12:13])]
    return next((IDENTIFIER_TYPES[kind] for kind in said if kind in IDENTIFIER_TYPES), "UNIQUE_ID")


def _contact(text: str, parts: list[str]) -> str:
    if "@" in text:
        return "EMAIL_ADDRESS"
    return "FAX_NUMBER" if parts[2:3] == ["FX"] else "PHONE_NUMBER"
