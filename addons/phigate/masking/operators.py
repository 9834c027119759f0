"""rules/detectors.yaml: what an operator adds to the detectors, without code.

Rules of this file:
- Patterns run on the same linear-time engine as the built-in ones: what it cannot run is a fault with its line, and so is
  every unknown key or word; all faults come at once, as `file:line: path: fault`, and nothing of a faulty file is used.
- A detector shows what it finds (`hits`, the identifier in [[ ]]) and what it leaves (`misses`); `samples` tries them.
- Context is what stands before an identifier, at most WITHIN characters: it is known when the identifier is, so a
  growing text is read as the whole one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003  # pydantic reads the annotations here
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from phigate.masking.detect import Detectors
from phigate.masking.detector import Detector
from phigate.masking.patterns import Alt, PatternError, longest, opened, parse
from phigate.policy import tree
from phigate.policy.fields import Name, Says, Some, Text, Version, Whole
from phigate.policy.load import PolicyFaults, read_file, said
from phigate.policy.patterns import compile_pattern
from phigate.policy.schema import Section
from phigate.policy.sentences import fault, meant, quoted, sentence
from phigate.policy.words import ENTITIES, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

WITHIN: Final = 100
"""Characters that context may be away."""
LONGEST: Final = 160
"""Characters a pattern may match: as much as a stream may be held back for."""
PHRASES: Final = 500
"""Entries of a deny list: longer lists belong into a roster, which has an index."""
ALWAYS: Final = 1.0
"""The score of what a deny list names: no threshold is above it."""
_MARK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_TOKEN = re.compile(r"\w+")
_GAP = r"[ \t\n\x{A0}]{1,2}"


# -- the language ---------------------------------------------------------------------------------------------------


def _score(value: Any) -> Any:
    if isinstance(value, float) and not 0 < value <= 1:
        raise fault("must be above 0 and at most 1")
    if isinstance(value, str) and re.fullmatch(r"0?\.[0-9]{1,4}|1(?:\.0{1,4})?", value, re.ASCII) and float(value):
        return float(value)
    if isinstance(value, float):
        return value
    given = "a list or mapping" if isinstance(value, dict | list) else quoted(value)
    raise fault("is empty" if value == "" else f"must be a number above 0 and at most 1, not {given}")


def _entity(name: str) -> str:
    if name not in ENTITIES:
        raise fault(f"unknown entity {quoted(name)}{meant(name, ENTITIES)}")
    return name


def _entity_or_other(name: str) -> str:
    return name if name == OTHER else _entity(name)


def _phrase(text: str) -> str:
    if not _TOKEN.search(text):
        raise fault(f"{quoted(text)} holds no letter or digit")
    return text


def _within_reach(number: int) -> int:
    if not 1 <= number <= WITHIN:
        raise fault(f"must be 1 to {WITHIN} characters")
    return number


def _engine(text: str) -> str:
    try:
        longest_match = longest(parse(opened(text)))
        Detectors((Detector("pattern", "UNIQUE_ID", captured(text)),))
    except PatternError as error:
        raise fault(f"is not a pattern that can be run: {str(error).removeprefix('pattern: ')}") from None
    if longest_match > LONGEST:
        raise fault(f"may match {longest_match} characters; {LONGEST} are the most")
    return text


def _hit(text: str) -> str:
    if not all(_MARK.findall(text)) or not _MARK.search(text):
        raise fault("needs what is to be found in [[ ]]")
    return text


def _miss(text: str) -> str:
    if "[[" in text:
        raise fault("must not hold [[ ]]: nothing is to be found in it")
    return text


Score = Annotated[float, BeforeValidator(_score), Says("number above 0, at most 1")]
EntityName = Annotated[str, AfterValidator(_entity), Says("entity")]
Phrase = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_phrase), Says("word or phrase")]
EnginePattern = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_engine), Says("bounded pattern")]
Near = Annotated[Whole, AfterValidator(_within_reach), Says(f"1 to {WITHIN}")]


class Nearby(Section):
    words: Some[Phrase] = Field(description="words or phrases; one of them is enough, in any case of letters")
    within: Near = Field(default=40, description="how many characters before the identifier they may begin")
    score: Score = Field(default=0.9, description="the score where one of them is found")


class Row(Section):
    name: Name = Field(description="unique; stands in records and in `phigate scan --explain`")
    entity: EntityName = Field(description="what it finds")
    pattern: EnginePattern = Field(
        description="RE2 syntax without open repetitions; `(?P<id>...)` is the identifier, otherwise all of it"
    )
    score: Score | None = Field(
        default=None, description="how sure it is, 0.9 by itself; with `context`, the score without context, else nothing"
    )
    context: Nearby | None = Field(default=None, description="what stands before the identifier")
    hits: Some[Annotated[Text, AfterValidator(_hit)]] = Field(
        description="texts in which it finds exactly what stands in [[ ]]"
    )
    misses: Some[Annotated[Text, AfterValidator(_miss)]] = Field(description="texts in which it finds nothing")


class File(Section):
    version: Version = Field(description="of this language")
    detectors: Annotated[tuple[Row, ...], Field(min_length=1)] = Field(default=(), description="in any order")
    deny: Annotated[
        dict[EntityName, Annotated[Some[Phrase], Field(max_length=PHRASES)]],
        Field(min_length=1),
        Says("entity: list of phrases"),
    ] = Field(default={}, description="words and phrases that are always found, in any case of letters")
    allow: Annotated[Some[Phrase], Field(max_length=PHRASES)] = Field(
        default=(), description="words and phrases that are never found where they are all of a finding"
    )
    thresholds: Annotated[
        dict[Annotated[str, AfterValidator(_entity_or_other)], Score],
        Field(min_length=1),
        Says("entity: number above 0, at most 1"),
    ] = Field(default={}, description="findings with a lower score are left alone, whatever the mask; `OTHER` for the rest")


KEYS = frozenset(name for section in (File, Row, Nearby) for name in section.model_fields)


# -- what it is worth -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Context:
    """Words that make what follows them within so many characters surer."""

    words: tuple[str, ...]
    within: int = 40
    score: float = 0.9
    _found: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = "|".join(r"\s+".join(map(re.escape, word.split())) for word in self.words)
        object.__setattr__(self, "_found", compile_pattern(rf"(?i)[^\pL\pN](?:{words})[^\pL\pN]"))

    @property
    def reach(self) -> int:
        """Characters before an identifier that must be at hand: one more shows where the first word begins."""
        return self.within + 1

    def before(self, text: str, begin: int) -> bool:
        """Whether one of the words begins in the last `within` characters before a place, and ends before it."""
        window = text[max(0, begin - self.reach) : begin]
        return bool(self._found.search(f" {window}" if begin < self.reach else window))


@dataclass(frozen=True, slots=True)
class Guarded:
    """A detector that is as sure as its context: `alone` is its score without, None where it then finds nothing."""

    detector: Detector
    context: Context
    alone: float | None = None

    def score(self, text: str, begin: int) -> float | None:
        return self.context.score if self.context.before(text, begin) else self.alone


@dataclass(frozen=True, slots=True)
class Extension:
    """What a file adds."""

    rows: tuple[Detector, ...] = ()
    """Detectors as the built-in ones are, the deny lists among them."""
    guarded: tuple[Guarded, ...] = ()
    """Detectors whose score depends on context; each is a source of its own, for it may find nothing after all."""
    allow: frozenset[str] = frozenset()
    """Phrases that are no findings, as `plain` writes them."""
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def keeps(self, entity: str, score: float, text: str) -> bool:
        """Whether a finding stands: sure enough, and not on the allow list."""
        least = self.thresholds.get(entity, self.thresholds.get(OTHER, 0.0))
        return score >= least and not (self.allow and plain(text) in self.allow)


NOTHING: Final = Extension()


def plain(text: str) -> str:
    """A phrase as it is compared: its words, case folded, without a leading `the`."""
    words = _TOKEN.findall(text.casefold())
    return " ".join(words[1:] if words[:1] == ["the"] and len(words) > 1 else words)


def captured(pattern: str) -> str:
    """A pattern with its identifier: all of it, where none is marked."""
    if "(?P<id>" in pattern:
        return pattern
    if pattern.startswith(r"\b") and not isinstance(parse(pattern), Alt):
        return rf"\b(?P<id>{pattern[2:]})"
    return f"(?P<id>{pattern})"


def phrases(entity: str, listed: Iterable[str]) -> Detector:
    """A deny list as a detector: any of its phrases, in any case, with any blank between their words."""
    found = "|".join(_spelled(phrase) for phrase in sorted(listed, key=len, reverse=True))
    return Detector(f"deny-{entity.lower().replace('_', '-')}", entity, f"(?P<id>(?i:{found}))", ALWAYS)


def _spelled(phrase: str) -> str:
    words = _GAP.join(re.sub(r"([^\w])", r"\\\1", word) for word in phrase.split())
    lead, tail = (r"\b" * bool(re.match(r"\w", end, re.ASCII)) for end in (phrase[0], phrase[-1]))
    return f"{lead}{words}{tail}"


# -- reading it -----------------------------------------------------------------------------------------------------


def load_detectors(path: Path) -> Extension:
    """Read and check a file; raises PolicyFaults, also for one that cannot be read."""
    return parse_detectors(read_file(path), str(path))


def parse_detectors(data: bytes, where: str) -> Extension:
    """The extension that a file is; `where` names it in faults; raises PolicyFaults."""
    return _extension(_read(data, where)[0])


def samples(data: bytes, where: str) -> tuple[int, tuple[str, ...]]:
    """How many samples a file has, and where a detector does not do what they say, as `file:line: path: fault`."""
    file, parsed = _read(data, where)
    faults, tried = [], 0
    for number, row in enumerate(file.detectors):
        find = _alone(row)
        for key in ("hits", "misses"):
            for place, text in enumerate(getattr(row, key)):
                tried += 1
                if wrong := _tried(find, text):
                    path = ("detectors", number, key, place)
                    faults.append(tree.Fault(parsed.line(path), path, wrong))
    return tried, said(faults, parsed.value, where, whole="detectors") if faults else ()


def _tried(find: Callable[[str], list[tuple[int, int]]], sample: str) -> str:
    text, marks = _MARK.sub(r"\1", sample), list(_MARK.finditer(sample))
    wanted = [(mark.start() - 4 * place, mark.end() - 4 * (place + 1)) for place, mark in enumerate(marks)]
    found = find(text)
    if found == wanted:
        return ""
    if not wanted:
        return "something is found in it"
    return "what is found is not what stands in [[ ]]" if found else "nothing is found in it"


def _alone(row: Row) -> Callable[[str], list[tuple[int, int]]]:
    extension = _extension(File(version=1, detectors=(row,)))
    guards = {each.detector.name: each for each in extension.guarded}
    detectors = Detectors((*extension.rows, *(each.detector for each in extension.guarded)))

    def find(text: str) -> list[tuple[int, int]]:
        return [
            (each.start, each.end)
            for each in detectors.find(text)
            if (guard := guards.get(each.detector)) is None or guard.score(text, each.start) is not None
        ]

    return find


def _read(data: bytes, where: str) -> tuple[File, tree.Tree]:
    parsed = tree.read(data)
    found = list(parsed.faults)
    if parsed.value is not None:
        value = {} if parsed.value == "" else parsed.value
        try:
            file = File.model_validate(value)
        except ValidationError as error:
            found += _judged(parsed, error)
        if isinstance(value, dict):
            found += (tree.Fault(parsed.line(path), path, text) for path, text in _faults(value))
        if not found:
            return file, parsed
    raise PolicyFaults(said(found, parsed.value, where, whole="detectors"))


def _judged(parsed: tree.Tree, error: ValidationError) -> Iterator[tree.Fault]:
    for entry in error.errors(include_url=False):
        path = tuple(step for step in entry["loc"] if step != "[key]")
        if entry["type"] == "too_short" and entry["input"]:
            continue  # only because its items are faulty
        if not any(path[: len(bad)] == bad for bad in parsed.unreadable):
            yield tree.Fault(parsed.line(path), path, sentence(entry, KEYS))


def _faults(file: dict[str, Any]) -> Iterator[tuple[tree.Path, str]]:
    """What is wrong between entries."""
    if not file.keys() & {"detectors", "deny", "allow", "thresholds"}:
        yield (), "adds nothing: it needs `detectors`, `deny`, `allow` or `thresholds`"
    names: set[str] = set()
    rows = file.get("detectors")
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        name = row.get("name") if isinstance(row, dict) else None
        if isinstance(name, str) and name:
            if name in names:
                yield ("detectors", number, "name"), f"{quoted(name)} stands twice"
            if name.startswith("deny-"):
                yield ("detectors", number, "name"), f"{quoted(name)}: names that begin with `deny-` are the deny lists'"
            names.add(name)
    allowed = file.get("allow")
    known = {plain(each) for each in (allowed if isinstance(allowed, list) else ()) if isinstance(each, str)}
    denied = file.get("deny")
    for entity, listed in (denied if isinstance(denied, dict) else {}).items():
        for place, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, str) and each and plain(each) in known:
                yield ("deny", entity, place), f"{quoted(each)} is on the allow list, too"


def _extension(file: File) -> Extension:
    rows, guarded = [], []
    for row in file.detectors:
        score = 0.9 if row.score is None else row.score
        detector = Detector(
            row.name, row.entity, captured(row.pattern), score, hits=tuple(row.hits), misses=tuple(row.misses)
        )
        if row.context is None:
            rows.append(detector)
        else:
            near = row.context
            guarded.append(Guarded(detector, Context(near.words, near.within, near.score), row.score))
    rows += (phrases(entity, listed) for entity, listed in file.deny.items())
    return Extension(tuple(rows), tuple(guarded), frozenset(map(plain, file.allow)), dict(file.thresholds))


# -- context in a growing text --------------------------------------------------------------------------------------


class _Hit(Protocol):
    @property
    def begin(self) -> int: ...
    def _replace(self, **changes: Any) -> Self: ...


class _Reader[H: _Hit](Protocol):
    settled: int

    def feed(self, text: str) -> list[H]: ...
    def close(self) -> list[H]: ...


class InContext[H: _Hit]:
    """A reader's hits with the scores of their context; those that are nothing without it are left out."""

    def __init__(self, inner: _Reader[H], guarded: Guarded) -> None:
        self._inner, self._guarded = inner, guarded
        self._text, self._base = "", 0

    @property
    def settled(self) -> int:
        return self._inner.settled

    def feed(self, text: str) -> list[H]:
        self._text += text
        hits = self._scored(self._inner.feed(text))
        spare = self._inner.settled - self._guarded.context.reach - self._base
        if spare > len(self._text) // 2:
            self._text, self._base = self._text[spare:], self._base + spare
        return hits

    def close(self) -> list[H]:
        return self._scored(self._inner.close())

    def _scored(self, hits: list[H]) -> list[H]:
        scored = [(hit, self._guarded.score(self._text, hit.begin - self._base)) for hit in hits]
        return [hit._replace(score=score) for hit, score in scored if score is not None]
