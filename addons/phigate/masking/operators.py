"""rules/detectors.yaml: what an operator adds to the detectors, without code.

Rules of this file:
- Patterns run on the same linear-time engine as the built-in ones: what it cannot run is a fault with its line, and so
  is every unknown key or word; all faults come at once, as `file:line: path: fault`, and a faulty file is not used.
- A detector shows what it finds (`hits`, the identifier in [[ ]]) and what it leaves (`misses`); `samples` tries them.
- What it adds is values; guards.py puts them to work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003  # pydantic reads the annotations here
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from phigate.masking.detect import Detectors
from phigate.masking.detector import Detector
from phigate.masking.detectors import DETECTORS
from phigate.masking.guards import DENY, Allowing, Context, Guarded, InContext, phrases
from phigate.masking.patterns import Alt, PatternError, longest, opened, parse
from phigate.masking.search import Patterns
from phigate.policy import tree
from phigate.policy.fields import Name, Says, Section, Some, Text, Version, Whole
from phigate.policy.load import PolicyFaults, read_file, said
from phigate.policy.sentences import fault, meant, quoted, sentence
from phigate.policy.words import ENTITIES, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from phigate.masking.evidence import Source

WITHIN: Final = 100
"""Characters that context may be away."""
LONGEST: Final = 160
"""Characters a pattern may match: as much as a stream may be held back for."""
PHRASES: Final = 500
"""Entries of a deny list: longer lists belong into a roster, which has an index."""
BUILT_IN: Final = frozenset(row.name for row in DETECTORS)
_MARK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_TOKEN = re.compile(r"\w+")
_THE = "(?:the )?"


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
        Patterns((Detector("pattern", "UNIQUE_ID", captured(text)),))
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
        default=None,
        description="how sure it is, 0.9 by itself; with `context`, the score without context, else nothing",
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
    ] = Field(
        default={}, description="findings with a lower score are left alone, whatever the mask; `OTHER` for the rest"
    )


KEYS = frozenset(name for section in (File, Row, Nearby) for name in section.model_fields)


# -- what it is worth -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extension:
    """What a file adds."""

    rows: tuple[Detector, ...] = ()
    """Detectors as the built-in ones are, the deny lists among them."""
    guarded: tuple[Guarded, ...] = ()
    """Detectors whose score depends on context; each is a source of its own, for it may find nothing after all."""
    allow: tuple[str, ...] = ()
    """Phrases that are no findings."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By entity, and OTHER for the rest."""

    def sources(self, others: Iterable[Source]) -> tuple[Source, ...]:
        """These other sources and the guarded detectors, as this file wants them heard."""
        found = (*others, *map(InContext, self.guarded))
        if not (self.allow or self.thresholds):
            return found
        listed = Patterns((phrases("allow", OTHER, self.allow, _THE),)) if self.allow else None
        return tuple(Allowing(each, self.thresholds, listed) for each in found)


NOTHING: Final = Extension()


def plain(text: str) -> str:
    """A phrase as it is compared: its words, case folded."""
    return " ".join(_TOKEN.findall(text.casefold()))


def captured(pattern: str) -> str:
    """A pattern with its identifier: all of it, where none is marked."""
    if "(?P<id>" in pattern:
        return pattern
    if pattern.startswith(r"\b") and not isinstance(parse(pattern), Alt):
        return rf"\b(?P<id>{pattern[2:]})"
    return f"(?P<id>{pattern})"


# -- reading it -----------------------------------------------------------------------------------------------------


def load_detectors(path: Path) -> Extension:
    """Read and check a file; raises PolicyFaults, also for one that cannot be read."""
    return parse_detectors(read_file(path), str(path))


def parse_detectors(data: bytes, where: str) -> Extension:
    """The extension that a file is; `where` names it in faults; raises PolicyFaults."""
    extension = _extension(_read(data, where)[0])
    try:
        if extension.rows:
            Patterns(extension.rows)
    except PatternError:
        raise PolicyFaults((f"{where}:1: detectors: all together they are more than can be run",)) from None
    return extension


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
    detectors = Detectors((), extension.sources(map(_only, extension.rows)))
    return lambda text: [(each.start, each.end) for each in detectors.find(text)]


def _only(row: Detector) -> Source:
    return Patterns((row,))


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
            if name in BUILT_IN:
                yield ("detectors", number, "name"), f"{quoted(name)} is the name of a built-in detector"
            if name.startswith(DENY):
                yield ("detectors", number, "name"), f"{quoted(name)}: names with `{DENY}` are those of the deny lists"
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
    rows += (phrases(DENY + entity.lower().replace("_", "-"), entity, listed) for entity, listed in file.deny.items())
    return Extension(tuple(rows), tuple(guarded), tuple(file.allow), dict(file.thresholds))
