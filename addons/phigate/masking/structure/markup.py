"""XHTML and other marked-up text: what is read is masked, the tags stay."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phigate.masking.structure.treatment import Masker

_TAG = re.compile(r"(<[^<>]*>)")
_FORM = re.compile(
    r"""</?+[A-Za-z][\w:.-]{0,40}+(?:\s++[\w:.-]{1,40}+\s*+=\s*+(?:"[^"]*+"|'[^']*+'))*+\s*+/?+>""",
)
_VALUE = re.compile(r"""([\w:.-]++\s*+=\s*+)("[^"]*+"|'[^']*+')""")
_SPACE = re.compile(r"http://www\.w3\.org/[\w/-]{1,40}", re.ASCII)
_PLAIN = frozenset(
    ("class", "style", "colspan", "rowspan", "align", "valign", "border", "width", "height", "lang", "xml:lang")
)
_LABEL = re.compile(r"[^\W\d_][\w ,.'/()#-]{0,38}:?")


def rewrite(text: str, masker: Masker) -> str:
    """The same markup with its text masked; a short text before another is taken for its label (`<th>`, `<b>`)."""
    parts, label = [], ""
    for at, part in enumerate(_TAG.split(text)):
        if at % 2:
            parts.append(_tag(part, masker))
        elif part.isspace() or not part:
            parts.append(part)
        else:
            plain = html.unescape(part)
            shown = masker.scan(plain, label)
            parts.append(part if shown == plain else html.escape(shown, quote=False))
            short = plain.strip()
            label = short.rstrip(":") if _LABEL.fullmatch(short) else ""
    return "".join(parts)


def _tag(tag: str, masker: Masker) -> str:
    if not _FORM.fullmatch(tag):
        return masker.render(tag)
    return _VALUE.sub(lambda found: found[1] + _value(found[1], found[2], masker), tag) if "=" in tag else tag


def _value(name: str, quoted: str, masker: Masker) -> str:
    key = name.rstrip("= \t\r\n").lower()
    plain = html.unescape(quoted[1:-1])
    if key.startswith("xmlns") and _SPACE.fullmatch(plain):
        shown = plain
    elif key in _PLAIN:
        shown = masker.keep(plain)
    else:
        shown = masker.render(plain)
    return quoted if shown == plain else f'"{html.escape(shown)}"'
