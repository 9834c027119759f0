"""Text that was made unreadable on purpose: base64, hexadecimal, percent escapes, letters spaced out, reversed.

Rules of this file:
- A run that decodes to text is read with the other sources; if they find anything, the whole run is it.
- What looks encoded and cannot be read is a finding of the detector `undecodable`: a mask may permit it.
- A run longer than CAP is cut there, so that a stream never waits for its end; of a cut run nothing is decoded.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from phigate.masking.evidence import Hit, read_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from phigate.exchange import Finding

    type Find = Callable[[str], Iterable[Finding]]

CAP = 160
"""Characters of a run that are waited for."""
LONG = 40
"""Characters from which on a run that is no text looks encoded."""
UNDECODABLE = "undecodable"
ENTITY, DOUBT = "UNIQUE_ID", 0.6
"""What a run is that cannot be read, and how sure that is."""
CHARACTERS = re.compile(r"[A-Za-z0-9+/_%=-]*")
SEPARATOR = r"(?: {1,3}| ?[._*|/-] ?)"
SPACED = rf"(?<![^\W_])(?:[^\W_]{SEPARATOR}){{5,39}}[^\W_](?![^\W_])"
"""Single letters or digits with something between them."""
TURNED = r"(?<![^\W_])[a-z']{2,20}[A-Z](?: [a-z']{2,20}[A-Z]){1,2}(?![^\W_])"
"""Two or three words that end with their capital."""
RUN = r"(?<![A-Za-z0-9+/_%=-])(?=[A-Za-z+/_-]{0,150}[0-9%=]|[A-Za-z][a-z]{0,150}[A-Z])[A-Za-z0-9+/_%=-]{8,}"
"""Characters of an encoding that are no plain word: a digit is among them, or a capital after a small letter."""
CANDIDATE = re.compile(rf"(?P<spaced>{SPACED})|(?P<turned>{TURNED})|(?P<run>{RUN})")
OPEN = re.compile(
    rf"(?:(?<![^\W_])(?:[^\W_]{SEPARATOR}){{1,39}}[ ._*|/-]{{0,3}}[^\W_]?"
    r"|(?<![^\W_])(?:[a-z']{2,20}[A-Z] ){1,2}|(?<![^\W_])(?:[a-z']{2,20}[A-Z] ){0,2}[a-z']{1,20}[A-Z]?"
    r"|(?<![^\W_])[^\W_]"
    r"|(?<![A-Za-z0-9+/_%=-])[A-Za-z0-9+/_%=-]{1,160})\Z"
)
"""The end of a text that may be the begin of a candidate."""
BETWEEN = {"spaced": re.compile(r"[ ._*|/-]{0,3}\Z"), "turned": re.compile(r" (?:[a-z']{1,20}[A-Z]?)?\Z")}
"""What may follow a candidate that goes on."""
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
HEXADECIMAL = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){6,})")
PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
BACKWARDS = re.compile(r"\d{4}-\d\d-\d{3}|\d{4}-\d{3}-\d{3}")
"""An SSN or a phone number."""
WIDE = re.compile(r" {2,}| - ")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Verdict(NamedTuple):
    entity: str
    detector: str
    score: float


class Encoded:
    """A source that reads what `find`, all the others together, cannot see."""

    name = "encoded"

    def __init__(self, find: Find) -> None:
        self._judge = lru_cache(maxsize=1024)(lambda kind, text: judge(kind, text, find))

    def reader(self) -> EncodedReader:
        return EncodedReader(self._judge)

    def hits(self, text: str) -> list[Hit]:
        return read_through(self, text)


class EncodedReader:
    """One text, looked through for encoded runs."""

    def __init__(self, judge: Callable[[str, str], Verdict | None]) -> None:
        self._judge = judge
        self._text, self._at = "", 0
        """The text from a character before what is not settled, and where in it that begins."""
        self._rest: tuple[Verdict | None] | None = None
        """Of a run that was cut: what the rest of it is."""
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        self._text += text
        return self._advance(last=False)

    def close(self) -> list[Hit]:
        return self._advance(last=True)

    def _advance(self, *, last: bool) -> list[Hit]:
        text, at = self._text, self._at
        base = self.settled - at
        hits: list[Hit] = []
        while (found := self._next(text, at)) is not None:
            kind, begin, end = found
            if end - begin > CAP:
                end = begin + CAP
                self._rest = self._rest or (_by_looks(text[begin:end]),)
                verdict = self._rest[0]
            elif not last and _may_go_on(kind, text, end):
                at = begin
                break
            else:
                verdict = self._rest[0] if self._rest else self._judge(kind, text[begin:end])
                self._rest = None
            if verdict and end > begin:
                hits.append(Hit(base + begin, base + end, *verdict))
            at = end
        else:
            at = len(text) if last else _open(text, at)
        self.settled = base + at
        keep = max(0, at - 1)
        self._text, self._at = text[keep:], at - keep
        return hits

    def _next(self, text: str, at: int) -> tuple[str, int, int] | None:
        if self._rest:
            rest = CHARACTERS.match(text, at)
            return ("run", at, rest.end() if rest else at)
        found = CANDIDATE.search(text, at)
        return (found.lastgroup or "", *found.span()) if found else None


def _may_go_on(kind: str, text: str, end: int) -> bool:
    if end == len(text):
        return True
    return kind in BETWEEN and bool(BETWEEN[kind].match(text, end, end + 24)) and len(text) - end < 24


def _open(text: str, at: int) -> int:
    found = OPEN.search(text, max(at, len(text) - CAP))
    return found.start() if found else len(text)


def judge(kind: str, text: str, find: Find) -> Verdict | None:
    """What a whole candidate is; None where it hides nothing."""
    for detector, decoded in readings(kind, text):
        found = max(find(decoded), key=lambda each: each.score, default=None)
        if found:
            return Verdict(found.entity, detector, found.score)
        if detector != "backwards":
            return None
    return _by_looks(text) if kind == "run" else None


def readings(kind: str, text: str) -> list[tuple[str, str]]:
    """Every way in which a candidate is text: (name of the way, the text)."""
    if kind == "spaced":
        return [("spaced", _joined(text))]
    if kind == "turned":
        return [("backwards", text[::-1])]
    found = []
    if BACKWARDS.fullmatch(text):
        found.append(("backwards", text[::-1]))
    if PERCENT.search(text):
        found.append(("percent", unquote(text, errors="replace")))
    if (hexadecimal := HEXADECIMAL.fullmatch(text)) and (read := _printable(bytes.fromhex(hexadecimal[1]))):
        found.append(("hexadecimal", read))
    if BASE64.fullmatch(text) and (read := _from_base64(text)):
        found.append(("base64", read))
    return found


def _joined(text: str) -> str:
    """Letters without what stands between them; a wider gap is a gap between words."""
    words = []
    for word in WIDE.split(text):
        digits = sum(map(str.isdecimal, word)) > len(word) // 3
        words.append("".join(each for each in word if each.isalnum() or (digits and each in "-/.")))
    return CAMEL.sub(" ", ("-" if " - " in text else " ").join(words))


def _from_base64(text: str) -> str:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _printable(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except binascii.Error:
        return ""


def _printable(raw: bytes) -> str:
    """The text that bytes are; empty where they are none."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return ""
    return text if all(each.isprintable() or each in "\n\r\t" for each in text) else ""


def _by_looks(text: str) -> Verdict | None:
    """A long run of letters in both cases and digits, or of hexadecimal, is encoded whatever it is."""
    kinds = (any(map(str.isupper, text)), any(map(str.islower, text)), any(map(str.isdecimal, text)))
    mixed = all(kinds) and "-" not in text.strip("-")
    encoded = len(text) >= LONG and (mixed or bool(HEXADECIMAL.fullmatch(text) and kinds[2] and any(kinds[:2])))
    return Verdict(ENTITY, UNDECODABLE, DOUBT) if encoded else None
