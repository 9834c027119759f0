"""Speech as text, said more than once: whole, in segments with their times, word by word, as subtitles.

A name may begin in one segment and end in the next, and one word alone tells nothing. So pieces are read as one text:
where each begins is marked with characters that have no width, which detection reads past. What is hidden takes the
marks in it along, and stands in the piece in which it begins.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from phigate.dialect.codecs import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.dialect.codecs import Head

PIECES = (("segments", "text"), ("words", "word"))
"""Lists of pieces, and the member of each that is its text."""
SAID = "_said"
KEPT = frozenset({"id", "type", "speaker", "language"})
"""Words that a piece may have beside its text: another could be the text again, in pieces that nobody joins."""

_DIGITS = "\u200b\u200c\u2060\ufeff"
_INVISIBLE = re.compile(f"[{_DIGITS}]")
_MARK = re.compile(f"([{_DIGITS}]{{3}})")
_ROUND = len(_DIGITS) ** 3
"""Marks after which they begin anew: more than the pieces that one identifier covers."""
_SPEAKER = re.compile(r"(?:speaker_)?[A-Z0-9]{1,3}", re.IGNORECASE)
_TIME = r"((?:[0-9]{1,3}:)?[0-9]{2}:[0-9]{2}[.,][0-9]{3})"
_TIMES = re.compile(rf"\s*{_TIME}\s+-->\s+{_TIME}(?:\s.*)?")
_NUMBER = re.compile(r"\s*[0-9]*\s*")


class Transcript(Json):
    """JSON of a transcript; raises ValueError where its pieces have no text."""

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        tree = super().read(content, head)
        return _gathered(tree) if isinstance(tree, dict) else tree

    def write(self, tree: Any) -> tuple[bytes, Head]:
        return super().write(_scattered(tree))


class Subtitles:
    """Text, and where it has times, SubRip or WebVTT (W3C): a list of segments, in a form that it is written in again.

    What stands in no segment (settings, notes) is left out, and the lines of a segment become one.
    """

    media = "text/plain"

    def read(self, content: bytes, _head: Mapping[bytes, bytes]) -> Any:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise ValueError("not UTF-8") from None
        segments = _segments(text)
        if not segments:
            return text
        return _gathered({"form": "vtt" if text.lstrip("\ufeff").startswith("WEBVTT") else "srt", "segments": segments})

    def write(self, tree: Any) -> tuple[bytes, Head]:
        text = tree if isinstance(tree, str) else _subtitles(_scattered(tree))
        return text.encode(), [(b"content-type", b"text/plain; charset=utf-8")]


TRANSCRIPT = Transcript()
SUBTITLES = Subtitles()


def _gathered(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree with its pieces as one text; of each nothing is left but whether it has a blank of its own."""
    made = {key: value for key, value in tree.items() if not key.endswith(SAID)}
    whole, speakers = tree.get("text"), dict[str, str]()
    for key, member in PIECES:
        items = tree.get(key)
        if items is None:
            continue
        if not isinstance(items, list) or not all(
            isinstance(item, dict) and isinstance(item.get(member), str) for item in items
        ):
            raise ValueError("pieces without a text")
        texts = [_INVISIBLE.sub("", item[member]) for item in items]
        made[key] = [
            _frame(item, speakers) | {member: " " if text != text.strip() else ""}
            for item, text in zip(items, texts, strict=True)
        ]
        if texts:
            aligned = _aligned(_INVISIBLE.sub("", whole), texts) if isinstance(whole, str) else None
            made[key + SAID] = aligned or _joined(texts)
    return made


def _frame(item: dict[str, Any], speakers: dict[str, str]) -> dict[str, Any]:
    """What a piece says beside its text: numbers, and words that are a protocol's; who speaks is told by a letter."""
    made = {
        name: value
        for name, value in item.items()
        if value is None or isinstance(value, int | float) or (name in KEPT and isinstance(value, str))
    }
    if isinstance(who := made.get("speaker"), str) and not _SPEAKER.fullmatch(who):
        made["speaker"] = speakers.setdefault(who, _letters(len(speakers)))
    return made


def _letters(number: int) -> str:
    """`A` to `Z`, then `AA`."""
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _mark(number: int) -> str:
    number %= _ROUND
    return _DIGITS[number // 16] + _DIGITS[number // 4 % 4] + _DIGITS[number % 4]


def _aligned(whole: str, texts: list[str]) -> str | None:
    """The whole text, marked where each piece begins; None where they do not stand in it one after another."""
    made, done, at = "", 0, 0
    for number, text in enumerate(texts):
        at = whole.find(text.strip(), at)
        if at < 0:
            return None
        begin = at - (text[:1].isspace() and whole[max(at - 1, done) : at].isspace())
        made += whole[done:begin] + _mark(number)
        done, at = begin, at + len(text.strip())
    return None if whole[at:].strip(" \n.,;:!?") else made + whole[done:]


def _joined(texts: list[str]) -> str:
    """Pieces one after another; where none has a blank of its own there is one between them, but not beside a dash."""
    pairs = list(itertools.pairwise(texts))
    own = any(before[-1:].isspace() or after[:1].isspace() for before, after in pairs)
    gaps = ["" if own or "-" in (before[-1:], after[:1]) else " " for before, after in pairs]
    return "".join(_mark(at) + text + gap for at, (text, gap) in enumerate(zip(texts, [*gaps, ""], strict=True)))


def _scattered(tree: Any) -> Any:
    """The tree with each text in its pieces again; raises ValueError where a mark stands that was not set."""
    if not isinstance(tree, dict):
        return tree
    made = {key: value for key, value in tree.items() if not key.endswith(SAID)}
    for key, member in PIECES:
        if key + SAID in tree:
            said = _apart(tree[key + SAID], len(made[key]))
            made[key] = [
                item | {member: text if item[member] else text.strip()}
                for item, text in zip(made[key], said, strict=True)
            ]
    return made


def _apart(text: str, count: int) -> list[str]:
    made, place = [""] * count, -1
    _, *marked = _MARK.split(text)
    for mark, piece in itertools.batched(marked, 2):
        first, second, third = map(_DIGITS.index, mark)
        place += (first * 16 + second * 4 + third - place - 1) % _ROUND + 1
        if place >= count:
            raise ValueError("a mark that nobody set")
        made[place] = _INVISIBLE.sub("", piece)
    return made


def _segments(text: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    lines: list[str] = []
    for line in text.splitlines():
        if times := _TIMES.fullmatch(line):
            if lines and _NUMBER.fullmatch(lines[-1]):  # a segment's number stands before its times
                lines.pop()
            lines = []
            made.append({"start": _seconds(times[1]), "end": _seconds(times[2]), "text": lines})
        else:
            lines.append(line)
    return [segment | {"text": " ".join(" ".join(segment["text"]).split())} for segment in made]


def _seconds(time: str) -> float:
    *hours, minutes, seconds = time.replace(",", ".").split(":")
    return int(hours[0] if hours else 0) * 3600 + int(minutes) * 60 + float(seconds)


def _time(seconds: float, point: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _subtitles(tree: dict[str, Any]) -> str:
    vtt = tree["form"] == "vtt"
    made = "WEBVTT\n\n" if vtt else ""
    for number, segment in enumerate(tree["segments"], 1):
        start, end = (_time(segment[side], "." if vtt else ",") for side in ("start", "end"))
        made += f"{'' if vtt else f'{number}\n'}{start} --> {end}\n{segment['text']}\n\n"
    return made
