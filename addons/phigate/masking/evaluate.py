"""How well detectors find what people have labelled: recall, precision, over-masking, each with its uncertainty.

Rules of this file:
- A labelled span is found when at least 95 % of its letters and digits are covered, of names those of the name alone
  (labels.core). What Safe Harbor lets stand is neither asked for nor held against anybody (labels.counts, stands).
- A false positive is a finding that touches no labelled span, whatever the labels are.
- Texts are judged one by one and added up: nothing but sums and the worst misses is kept, however much there is.
- Nothing here carries text unless it is asked to (`show`); a miss is told by place, label and shape.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field, replace
from math import sqrt
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from phigate.masking.labels import GROUPS, core, counts, group_of, stands
from phigate.masking.variants import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from phigate.exchange import Finding

COVERED: Final = 0.95
"""The share of a span's letters and digits that makes it found."""
Z: Final = 1.959963984540054
"""Of a two-sided 95 % interval."""
WORST: Final = 20
AROUND: Final = 30
"""Characters of context on either side of a miss, where text is shown."""
LONGEST_SHAPE: Final = 32


class RecordFault(ValueError):  # noqa: N818 -- a fault of the data, as in PolicyFaults
    """A line that is no record; the message says what is wrong, never what stands there."""


class Label(NamedTuple):
    start: int
    end: int
    label: str


class Record(NamedTuple):
    """One labelled text; offsets are characters."""

    id: str
    text: str
    labels: tuple[Label, ...]


def parse(line: bytes, number: int = 0) -> Record:
    """One line of JSON `{"id","text","spans":[{"start","end","label"}]}`; raises RecordFault."""
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise RecordFault("not JSON") from None
    if not isinstance(item, dict):
        raise RecordFault("not an object")
    text, spans = item.get("text"), item.get("spans")
    if not isinstance(text, str):
        raise RecordFault("`text` is not a string")
    if not isinstance(spans, list):
        raise RecordFault("`spans` is not a list")
    return Record(str(item.get("id", number)), text, tuple(_label(*each, len(text)) for each in enumerate(spans)))


def _label(place: int, span: Any, size: int) -> Label:
    where = f"`spans[{place}]`"
    if not isinstance(span, dict):
        raise RecordFault(f"{where} is not an object")
    start, end, label = span.get("start"), span.get("end"), span.get("label")
    if type(start) is not int or type(end) is not int:
        raise RecordFault(f"{where}: `start` and `end` must be whole numbers")
    if not 0 <= start < end <= size:
        raise RecordFault(f"{where}: [start, end) is not within the text")
    if not isinstance(label, str) or not label.strip():
        raise RecordFault(f"{where}: `label` is not a text")
    return Label(start, end, label)


@dataclass(frozen=True, slots=True)
class Setting:
    """How texts are put to the detectors, and what of their findings counts."""

    writings: tuple[str, ...] = ()
    """Names in variants.WRITINGS: case, then variant."""
    least: float = 0.0
    groups: Mapping[str, str] = field(default_factory=dict)
    """The operator's own groups of labels, by plain label."""
    show: bool = False
    """Let text into misses and false positives."""


class Miss(NamedTuple):
    """A labelled span that was not found."""

    id: str
    start: int
    end: int
    label: str
    group: str
    open: int
    """Letters and digits that are not covered."""
    letters: int
    shape: str
    evidence: tuple[str, ...]
    """What touched it, and what would have but for its score: `ENTITY by detector, score`."""
    text: str | None = None
    around: str | None = None


class Extra(NamedTuple):
    """A false positive."""

    id: str
    start: int
    end: int
    entity: str
    detector: str
    score: float
    letters: int
    shape: str
    text: str | None = None
    around: str | None = None


class Judged(NamedTuple):
    """What one text adds to the sums."""

    found: dict[str, tuple[int, int]]
    """By group: (found, labelled) spans."""
    labels: dict[str, tuple[int, int]]
    """The same by the data's own labels."""
    letters: dict[str, tuple[int, int]]
    """By group: (covered, all) letters and digits of labelled spans."""
    right: tuple[int, int]
    """(findings that touch a label, these and the false positives); what touches only what may stand is neither."""
    masked: tuple[int, int]
    """Letters and digits outside of labelled spans: (masked, all)."""
    negative: bool
    """The text has nothing in it that must be found."""
    touched: bool
    """Something was found that touches no label."""
    misses: tuple[Miss, ...]
    extras: tuple[Extra, ...]


def judge(record: Record, find: Callable[[str], Iterable[Finding]], setting: Setting) -> Judged:
    """Put one text to the detectors, in the setting's writing, and compare in the places of the original."""
    if setting.writings:
        written = write(record.text, *setting.writings)
        findings = written.back(find(written.text))
    else:
        findings = list(find(record.text))
    return compare(record, findings, setting)


def compare(record: Record, findings: Sequence[Finding], setting: Setting) -> Judged:
    """Findings of one text against its labels."""
    text, size = record.text, len(record.text)
    kept = _joined(each for each in findings if each.score >= setting.least)
    asked = list(_asked(record, setting))
    covered, labelled = _painted(kept, size), _painted(record.labels, size)
    counted = _painted((each.at for each in asked), size)
    extras = [
        each for each in kept if not any(labelled[each.start : each.end]) and not stands(text[each.start : each.end])
    ]
    right = sum(any(counted[each.start : each.end]) for each in kept)
    outside = [place for place in range(size) if text[place].isalnum() and not labelled[place]]
    sums = [(each, sum(covered[place] for place in each.places)) for each in asked]
    return Judged(
        found=_sums((each.group, hidden >= COVERED * len(each.places), 1) for each, hidden in sums),
        labels=_sums((each.at.label, hidden >= COVERED * len(each.places), 1) for each, hidden in sums),
        letters=_sums((each.group, hidden, len(each.places)) for each, hidden in sums),
        right=(right, right + len(extras)),
        masked=(sum(covered[place] for place in outside), len(outside)),
        negative=not asked,
        touched=bool(extras),
        misses=tuple(
            _miss(record, each, hidden, findings, setting)
            for each, hidden in sums
            if hidden < COVERED * len(each.places)
        ),
        extras=tuple(_extra(record, each, setting) for each in extras),
    )


def _joined(findings: Iterable[Finding]) -> list[Finding]:
    """The same characters covered with no overlap: findings over each other are one, named by the surest."""
    joined: list[Finding] = []
    for each in sorted(findings, key=lambda each: (each.start, -each.end)):
        if joined and each.start < joined[-1].end:
            last = joined.pop()
            surest = each if each.score > last.score else last
            joined.append(replace(surest, start=last.start, end=max(last.end, each.end)))
        elif each.start < each.end:
            joined.append(each)
    return joined


class _Asked(NamedTuple):
    """A labelled span that counts, and the places of the letters and digits that must be covered."""

    at: Label
    group: str
    places: Sequence[int]


def _asked(record: Record, setting: Setting) -> Iterator[_Asked]:
    text = record.text
    for at in record.labels:
        value = text[at.start : at.end]
        group = group_of(at.label, setting.groups)
        if counts(group, at.label, value):
            first, last = core(group, value)
            span = range(at.start + first, at.start + last)
            yield _Asked(at, group, [place for place in span if text[place].isalnum()] or span)


def _sums(entries: Iterable[tuple[str, int, int]]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for key, hits, of in entries:
        had, had_of = sums.get(key, (0, 0))
        sums[key] = had + hits, had_of + of
    return sums


def _painted(spans: Iterable[Any], size: int) -> bytearray:
    marks = bytearray(size)
    for each in spans:
        start, end = max(0, each.start), min(size, each.end)
        if start < end:
            marks[start:end] = b"\x01" * (end - start)
    return marks


def _miss(record: Record, asked: _Asked, hidden: int, findings: Iterable[Finding], setting: Setting) -> Miss:
    at, letters = asked.at, len(asked.places)
    said = tuple(
        f"{each.entity} by {each.detector}, {each.score:.2f}" + (", below the threshold" * (each.score < setting.least))
        for each in findings
        if each.start < at.end and each.end > at.start
    )
    form, shown = shape(record.text[at.start : at.end]), _shown(record, at.start, at.end, setting)
    return Miss(record.id, *at, asked.group, letters - hidden, letters, form, said, *shown)


def _extra(record: Record, at: Finding, setting: Setting) -> Extra:
    value = record.text[at.start : at.end]
    letters = sum(map(str.isalnum, value))
    shown = _shown(record, at.start, at.end, setting)
    return Extra(record.id, at.start, at.end, at.entity, at.detector, at.score, letters, shape(value), *shown)


def _shown(record: Record, start: int, end: int, setting: Setting) -> tuple[str | None, str | None]:
    if not setting.show:
        return None, None
    return record.text[start:end], record.text[max(0, start - AROUND) : end + AROUND]


def shape(value: str) -> str:
    """A value's form without its content: `Aaaaa A. 999`, runs cut at three."""
    out: list[str] = []
    for each in value:
        kind = "9" if each.isdecimal() else "A" if each.isupper() else "a" if each.isalpha() else each
        kind = " " if kind.isspace() else kind
        if out[-3:] != [kind] * 3:
            out.append(kind)
    return "".join(out[:LONGEST_SHAPE])


@dataclass(slots=True)
class Ratio:
    """A share summed over texts, with an interval that knows that spans of one text are not independent.

    The interval is Wilson's (JASA 22:209, 1927) on the effective number of spans: theirs divided by the design effect,
    the variance of the share between texts (ratio estimator: Cochran, Sampling Techniques, 6.4) over that of
    independent spans.
    """

    hits: int = 0
    of: int = 0
    texts: int = 0
    squares: tuple[int, int, int] = (0, 0, 0)

    def add(self, hits: int, of: int) -> None:
        if of:
            hh, ho, oo = self.squares
            self.squares = (hh + hits * hits, ho + hits * of, oo + of * of)
            self.hits, self.of, self.texts = self.hits + hits, self.of + of, self.texts + 1

    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        if not self.of:
            return None
        share, count = self.hits / self.of, self._effective()
        middle = share + Z * Z / (2 * count)
        reach = Z * sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
        scale = 1 + Z * Z / count
        least, most = (middle - reach) / scale, (middle + reach) / scale
        return least if self.hits else 0.0, most if self.hits < self.of else 1.0

    def _effective(self) -> float:
        share = self.hits / self.of
        alone = share * (1 - share) / self.of
        if self.texts < 2 or not alone:
            return self.of
        hh, ho, oo = self.squares
        spread = max(0.0, hh - 2 * share * ho + share * share * oo)
        between = self.texts / (self.texts - 1) * spread / self.of**2
        return self.of / max(1.0, between / alone)


def f2(precision: float | None, recall: float | None) -> float | None:
    """Recall weighed four times (van Rijsbergen's F with beta 2)."""
    if precision is None or recall is None:
        return None
    return 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0


class Tally:
    """Sums over texts, and the worst of what went wrong."""

    def __init__(self, worst: int = WORST) -> None:
        self.texts = 0
        self.recall, self.letters = Ratio(), Ratio()
        self.by_group = {group: Ratio() for group in GROUPS}
        self.letters_by_group = {group: Ratio() for group in GROUPS}
        self.by_label: dict[str, Ratio] = {}
        self.precision, self.masked, self.negatives = Ratio(), Ratio(), Ratio()
        self.spurious: Counter[tuple[str, str]] = Counter()
        """False positives by (entity, detector)."""
        self.misses: list[Miss] = []
        self.extras: list[Extra] = []
        self._worst = worst

    def add(self, judged: Judged) -> None:
        self.texts += 1
        for total, groups, pairs in (
            (self.recall, self.by_group, judged.found),
            (self.letters, self.letters_by_group, judged.letters),
        ):
            total.add(sum(hits for hits, _ in pairs.values()), sum(of for _, of in pairs.values()))
            for group, pair in pairs.items():
                groups[group].add(*pair)
        for label, pair in judged.labels.items():
            self.by_label.setdefault(label, Ratio()).add(*pair)
        self.precision.add(*judged.right)
        self.masked.add(*judged.masked)
        if judged.negative:
            self.negatives.add(judged.touched, 1)
        self.spurious.update((each.entity, each.detector) for each in judged.extras)
        if judged.misses:
            self.misses = heapq.nlargest(self._worst, (*self.misses, *judged.misses), key=attrgetter("open"))
        if judged.extras:
            self.extras = heapq.nlargest(self._worst, (*self.extras, *judged.extras), key=attrgetter("letters"))

    @property
    def f2(self) -> float | None:
        return f2(self.precision.value, self.recall.value)

    @property
    def f2_interval(self) -> tuple[float, float] | None:
        """From the ends of those of precision and recall: wider than either alone would make it."""
        precision, recall = self.precision.interval, self.recall.interval
        if precision is None or recall is None:
            return None
        return f2(precision[0], recall[0]) or 0.0, f2(precision[1], recall[1]) or 0.0

    def report(self) -> dict[str, Any]:
        """All of it as JSON would have it."""
        return {
            "texts": self.texts,
            "recall": _told(self.recall),
            "character_recall": _told(self.letters),
            "precision": _told(self.precision),
            "f2": {"value": self.f2, "interval": self.f2_interval},
            "over_masking": _told(self.masked),
            "hard_negatives": _told(self.negatives),
            "groups": {
                group: {"recall": _told(ratio), "character_recall": _told(self.letters_by_group[group])}
                for group, ratio in self.by_group.items()
                if ratio.of
            },
            "labels": {label: _told(ratio) for label, ratio in sorted(self.by_label.items())},
            "false_positives": [
                {"entity": entity, "detector": detector, "count": count}
                for (entity, detector), count in self.spurious.most_common()
            ],
            "worst_misses": [_without_nothing(each) for each in self.misses],
            "worst_false_positives": [_without_nothing(each) for each in self.extras],
        }


def _told(ratio: Ratio) -> dict[str, Any]:
    return {"value": ratio.value, "interval": ratio.interval, "count": ratio.hits, "of": ratio.of}


def _without_nothing(entry: Miss | Extra) -> dict[str, Any]:
    return {name: value for name, value in entry._asdict().items() if value is not None}
