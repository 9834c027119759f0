"""Text that was made unreadable on purpose: base64, hexadecimal, percent escapes, letters spaced out, reversed, digits
spelled out.

Rules of this file:
- A run that decodes to text is read with the other sources; if they find anything, the whole run is it. What is
  encoded twice is decoded twice; lines of one length are one run (RFC 2045, 6.8).
- What looks encoded and cannot be read is a finding of the detector `undecodable`: a mask may permit it.
- A run longer than CAP is cut there, so that a stream never waits for its end; of a cut run nothing is decoded.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from phigate.masking.evidence import Hit, read_whole

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
SEPARATOR = r"(?: {1,3}| ?[._*|/,;~-] ?)"
SPACED = rf"(?<![^\W_])(?:[^\W_]{SEPARATOR}){{5,39}}[^\W_](?![^\W_])"
"""Single letters or digits with something between them."""
TURNED = r"(?<![^\W_])[a-z']{2,20}+[A-Z](?: [a-z']{2,20}+[A-Z]){1,2}(?![^\W_])"
"""Two or three words that end with their capital."""
RUN = r"(?<![A-Za-z0-9+/_%=-])(?=[A-Za-z+/_-]{0,150}+[0-9%=]|[A-Za-z][a-z]{0,150}+[A-Z])[A-Za-z0-9+/_%=-]{8,}"
"""Characters of an encoding that are no plain word: a digit is among them, or a capital after a small letter."""
DIGITS = "zero oh one two three four five six seven eight nine".split()  # noqa: SIM905 - words
_DIGIT = rf"(?:{'|'.join(DIGITS)}|[0-9])(?![^\W_])"
SPELLED = rf"(?<![^\W_])(?=[efnostzEFNOSTZ0-9])(?i:{_DIGIT}(?:[ ,-]{{1,3}}{_DIGIT}){{5,15}})"
"""Digits as words, or as words and digits."""
ORDINARY = r"[A-Za-z][a-z]+[ .,;:\n]"
"""A word as most are: it begins neither a run nor what is turned."""
CANDIDATE = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?P<spaced>{SPACED})|(?P<spelled>{SPELLED})|(?!{ORDINARY})(?:(?P<turned>{TURNED})|(?P<run>{RUN})))"
)
"""None begins within a word: that is seen at once, for all of them."""
OPEN = re.compile(
    rf"(?:(?<![^\W_])(?:[^\W_]{SEPARATOR}){{1,39}}[ ._*|/,;~-]{{0,3}}[^\W_]?"
    rf"|(?<![^\W_])(?i:(?:{_DIGIT}[ ,-]{{1,3}}){{1,15}}[a-z0-9]{{0,5}})"
    r"|(?<![^\W_])(?:[a-z']{2,20}[A-Z] ){1,2}|(?<![^\W_])(?:[a-z']{2,20}[A-Z] ){0,2}[a-z']{1,20}[A-Z]?"
    r"|(?<![^\W_])[^\W_]"
    r"|(?<![A-Za-z0-9+/_%=-])[A-Za-z0-9+/_%=-]{1,160})\Z"
)
"""The end of a text that may be the begin of a candidate."""
BETWEEN = {
    "spaced": re.compile(r"[ ._*|/,;~-]{0,3}[^\W_]?\Z"),
    "spelled": re.compile(r"[ ,-]{0,3}[A-Za-z0-9]{0,5}\Z"),
    "turned": re.compile(r" (?:[a-z']{1,20}[A-Z]?)?\Z"),
    "run": re.compile(r"(?:\r?\n?| )[A-Za-z0-9+/_%=-]{0,160}\r?\Z"),
}
"""What may follow a candidate that goes on."""
GOES_ON = {
    "spaced": re.compile(rf"(?:{SEPARATOR}?[^\W_](?![^\W_]))*"),
    "spelled": re.compile(rf"(?i:[a-z]{{0,4}}(?:[ ,-]{{0,3}}{_DIGIT})*)"),
    "turned": re.compile(r""),
    "run": CHARACTERS,
}
"""The rest of a candidate that was cut."""
LINE = 16
"""Characters that a line of a run has at least, where the run goes on in the next."""
MIME = 76
"""Characters of a line of MIME's (RFC 2045, 6.8)."""
_BREAK = re.compile(r"\r?\n| ")
"""Between two lines: the end of a long one is read as a blank (writing.py)."""
DEEPEST = 3
"""How often a text is decoded."""
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
HEXADECIMAL = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){6,})")
PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
FORMS = {9: "{}{}{}-{}{}-{}{}{}{}", 10: "{}{}{}-{}{}{}-{}{}{}{}"}
"""How digits are written of which only their number is known: an SSN, a phone number."""
SCORES = frozenset("012345")
"""Digits of rows of answers (PHQ-9) rather than of numbers."""
BACKWARDS = re.compile(r"\d{4}-\d\d-\d{3}|\d{4}-\d{3}-\d{3}")
"""An SSN or a phone number."""
WIDE = re.compile(r" {2,}| - ")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Verdict(NamedTuple):
    entity: str
    detector: str
    score: float


LOST = Verdict(ENTITY, UNDECODABLE, DOUBT)
"""What is too long to be read."""


class Encoded:
    """A source that reads what `find`, all the others together, cannot see."""

    name = "encoded"

    def __init__(self, find: Find) -> None:
        self._judge = lru_cache(maxsize=1024)(lambda kind, text: judge(kind, text, find))

    def reader(self) -> EncodedReader:
        return EncodedReader(self._judge)

    def hits(self, text: str) -> list[Hit]:
        return read_whole(self.reader(), text)


class EncodedReader:
    """One text, looked through for encoded runs."""

    def __init__(self, judge: Callable[[str, str], Verdict | None]) -> None:
        self._judge = judge
        self._text, self._at = "", 0
        """The text from a character before what is not settled, and where in it that begins."""
        self._rest: tuple[Verdict | None, str, int] | None = None
        """Of a candidate that was cut: what the rest of it is, its kind, and the length of its lines."""
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        self._text += text
        return self._advance(last=False)

    def close(self) -> list[Hit]:
        return self._advance(last=True)

    def close_after(self, text: str) -> list[Hit]:
        self._text += text
        return self.close()

    def _advance(self, *, last: bool) -> list[Hit]:
        text, at = self._text, self._at
        base = self.settled - at
        hits: list[Hit] = []
        while (found := self._next(text, at, last=last)) is not None:
            kind, begin, end = found
            if end - begin > CAP:
                end = begin + CAP
                self._rest = self._rest or (_by_looks(_one_line(text[begin:end])), kind, _line(text, begin))
                verdict = self._rest[0]
            elif not last and (_may_go_on(kind, text, end) or _opened(text, at, begin)):
                at = min(begin, _open(text, at))
                break
            elif self._rest:
                verdict, self._rest = self._rest[0], None
            elif kind != "run" and _goes_on(kind, text, end):
                self._rest = verdict, _, _ = LOST, kind, 0
            else:
                verdict = self._judge(kind, text[begin:end])
            if verdict and end > begin:
                hits.append(Hit(base + begin, base + end, *verdict))
            at = end
        else:
            at = len(text) if last else _open(text, at)
        self.settled = base + at
        keep = max(0, at - 1)
        self._text, self._at = text[keep:], at - keep
        return hits

    def _next(self, text: str, at: int, *, last: bool) -> tuple[str, int, int] | None:
        if self._rest:
            _, kind, size = self._rest
            return kind, at, _lines(text, _goes_on(kind, text, at) or at, size, last=last)
        found = CANDIDATE.search(text, at)
        if not found:
            return None
        kind, end = found.lastgroup or "", found.end()
        return kind, found.start(), _lines(text, end, end - found.start(), last=last) if kind == "run" else end


def _goes_on(kind: str, text: str, at: int) -> int:
    """Where the rest of a candidate ends; 0 where there is none."""
    rest = GOES_ON[kind].match(text, at)
    return rest.end() if rest and rest.end() > at else 0


def _line(text: str, begin: int) -> int:
    """How long the first line of a run is; 0 where that is not known, as it is cut itself."""
    found = CHARACTERS.match(text, begin)
    size = found.end() - begin if found else 0
    return size if size <= CAP else 0


def _lines(text: str, end: int, size: int, *, last: bool) -> int:
    """Where a run ends that goes on in lines of one length; a shorter one may follow two of them, or one of MIME's."""
    several = size == MIME
    while size >= LINE and (gap := _BREAK.match(text, end)) and (line := CHARACTERS.match(text, gap.end())):
        length, after = line.end() - line.start(), text[line.end() : line.end() + 1]
        if not after and not last:
            return end
        if length != size or after not in ("", "\r", "\n", " "):
            return line.end() if several and 0 < length < size and after in ("", "\r", "\n") else end
        end, several = line.end(), True
    return end


def _one_line(text: str) -> str:
    return _BREAK.sub("", text)


def _may_go_on(kind: str, text: str, end: int) -> bool:
    return end == len(text) or (len(text) - end <= CAP and bool(BETWEEN[kind].match(text, end)))


def _opened(text: str, at: int, begin: int) -> bool:
    """Whether a candidate may begin at or before `begin`; only what is near the end is looked at (`_open`)."""
    return begin >= len(text) - CAP and _open(text, at) <= begin


def _open(text: str, at: int) -> int:
    found = OPEN.search(text, max(at, len(text) - CAP))
    return found.start() if found else len(text)


def judge(kind: str, text: str, find: Find, depth: int = 1) -> Verdict | None:
    """What a whole candidate is; None where it hides nothing."""
    if kind == "run" and len(lines := _BREAK.split(text)) > 1:  # the last one may be a word of prose
        return judge(kind, "".join(lines), find, depth) or judge(kind, "".join(lines[:-1]), find, depth)
    for detector, decoded in readings(kind, text):
        found = max(find(decoded), key=lambda each: each.score, default=None)
        if found:
            return Verdict(found.entity, detector, found.score)
        if kind == "run" and detector != "backwards":
            return _within(decoded, find, depth)
    if kind == "spelled":
        return None if _counts(_digits(text)) else Verdict(ENTITY, "spelled", DOUBT)
    return _by_looks(text) if kind == "run" else None


def _within(text: str, find: Find, depth: int) -> Verdict | None:
    """What a decoded text is that is, or has in it, something encoded."""
    if depth == DEEPEST:
        return None
    inside = (judge(found.lastgroup or "", found[0], find, depth + 1) for found in CANDIDATE.finditer(text))
    return next(filter(None, inside), None)


def readings(kind: str, text: str) -> list[tuple[str, str]]:
    """Every way in which a candidate is text: (name of the way, the text)."""
    if kind == "spaced":
        return [("spaced", _joined(text)), *(("spaced", form) for form in _forms(text))]
    if kind == "spelled":
        return [("spelled", form) for form in _forms(text)]
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


def _digits(text: str) -> str:
    """The digits that words and digits say; empty where there is anything else."""
    words = re.findall(r"[^\W_]+", text.lower())
    known = {word: str(max(0, at - 1)) for at, word in enumerate(DIGITS)}
    digits = [word if word.isdecimal() else known.get(word, "") for word in words]
    return "".join(digits) if all(digits) else ""


def _forms(text: str) -> list[str]:
    digits = _digits(text)
    if len(digits) not in FORMS or _counts(digits) or sum(digit not in SCORES for digit in digits) < 2:
        return []
    return [FORMS[len(digits)].format(*digits)]


def _counts(digits: str) -> bool:
    """Whether digits only count up or down, or repeat one."""
    steps = {int(after) - int(before) for before, after in pairwise(digits)}
    return len(steps) <= 1 and steps <= {-1, 0, 1}


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
    """A long run of letters in both cases and digits, of escapes or of hexadecimal, is encoded whatever it is."""
    kinds = (any(map(str.isupper, text)), any(map(str.islower, text)), any(map(str.isdecimal, text)))
    mixed = all(kinds) and "-" not in text.strip("-")
    escaped = len(PERCENT.findall(text)) >= 3
    encoded = len(text) >= LONG and (
        mixed or escaped or bool(HEXADECIMAL.fullmatch(text) and kinds[2] and any(kinds[:2]))
    )
    return LOST if encoded else None
