"""What it costs to find identifiers: ours, the same patterns in stdlib `re`, and Presidio, in turns within one run.

Only ratios compare between machines; times are of the processor, so that what else runs counts for nobody, but for the
event loop, where they are the clock's. `everything` is what the gateway does with a text: patterns, tagger, a roster of
100,000, memory, and what is written oddly. Presidio has its pattern recognizers and no language model.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import platform
import re
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.console import Console

from bench import presidio
from bench.gateway import processor
from bench.load import percentile
from bench.presidio import Presidio
from bench.texts import clinical, hostile, roster, tree
from phigate.dialect import openai
from phigate.dialect.codecs import JSON
from phigate.evaluation import run as evaluated
from phigate.exchange import Finding
from phigate.host.thrift import settle
from phigate.masking import DETECTORS, Detectors, Memory, Sight, Transformer, default_detectors, parse_roster
from phigate.masking.answer import whole
from phigate.masking.evaluate import Setting
from phigate.masking.search import compiled
from phigate.policy.masks import REDACT
from phigate.starting import read_secrets
from phigate.streams import Input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from phigate.masking import Detector, Roster
    from phigate.masking.evaluate import Tally

PEOPLE: Final = 100_000
SIZES: Final = {"1 KB": 1 << 10, "10 KB": 10 << 10, "100 KB": 100 << 10, "1 MB": 1 << 20}
SLOWEST: Final = 200 << 10
"""Characters of the longest text that Presidio is given: more takes minutes."""
HOSTILE: Final = 64 << 10
KEYS: Final = "PHIGATE_BENCH_KEYS"
TURN: Final = 0.001
"""Seconds that a thread keeps the interpreter in the gateway (phigate.host.thrift)."""
TOKENS: Final = re.compile(r"\s?\w{1,4}|\s?[^\w\s]|\s")

type Find = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure, and what."""

    rounds: int = 3
    sizes: tuple[str, ...] = tuple(SIZES)
    people: int = PEOPLE
    hostile: int = HOSTILE
    rows: int | None = None
    """Only the first so many detectors' hostile texts."""
    against: bool = True
    """Presidio, too."""
    seconds: float = 0.2
    """The least time of a turn."""


def make_roster(people: int) -> Roster:
    keys = {"PERSON": "name", "MRN": "mrn"}
    lines = (json.dumps({keys[entity]: value}) for entity, value in roster(people))
    return parse_roster("\n".join(lines), "bench.jsonl")


# -- the same rows in stdlib re ---------------------------------------------------------------------------------------

_CODE = re.compile(r"\\x\{([0-9A-Fa-f]+)\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\[pP](?:\{\^?\w+\}|\w)", re.DOTALL)
_LETTERS = "A-Za-z\u00c0-\u024f"
_PROPERTY = {"L": _LETTERS, "Lu": "A-Z\u00c0-\u00de", "Ll": "a-z\u00df-\u00ff", "N": "0-9", "M": "\u0300-\u036f"}


def translated(pattern: str) -> re.Pattern[str]:
    """Return an RE2 pattern for stdlib `re`; letters of all scripts are those of Latin there. Raises re.error."""

    def classes(found: re.Match[str]) -> str:
        text = found[0]
        inside = text.startswith("[")
        named = re.sub(r"\\p(?:\{(\w+)\}|(\w))", lambda one: _PROPERTY.get(one[1] or one[2], _LETTERS), text)
        return named if inside else f"[{named}]"

    plain = _CODE.sub(lambda code: f"\\U{int(code[1], 16):08X}", pattern.replace(r"\z", r"\Z"))
    return re.compile(_CLASS.sub(classes, plain), re.ASCII)


def one_by_one(rows: Sequence[Detector]) -> Find:
    """Return how the rows find with stdlib `re`: each looks through all of the text."""
    ready = [(translated(row.pattern), row) for row in rows]

    def find(text: str) -> list[tuple[int, int, str]]:
        found = []
        for pattern, row in ready:
            for match in pattern.finditer(text):
                value = match["id"]
                if row.narrow:
                    value = row.narrow(value)
                if value and (row.check is None or row.check(value)):
                    found.append((match.start("id"), match.start("id") + len(value), row.entity))
        return found

    return find


# -- whole texts ------------------------------------------------------------------------------------------------------


def seconds_of(find: Find, text: str, least: float) -> float:
    """Return how long one search takes, repeated until it can be measured."""
    done, start = 0, time.process_time()
    while True:
        find(text)
        done += 1
        if (spent := time.process_time() - start) >= least:
            return spent / done


def asked(other: Presidio, text: str) -> float:
    return other.ask(text)[0]


def turns(ways: dict[str, Callable[[str], float]], text: str, rounds: int) -> dict[str, list[float]]:
    """Return seconds of each way in each round, in turns; who begins alternates."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in reversed(ways) if number % 2 else ways:
            taken[name].append(ways[name](text))
    return taken


def spread(values: Iterable[float], digits: int = 1) -> str:
    listed = list(values)
    return f"{statistics.median(listed):.{digits}f} ({min(listed):.{digits}f}-{max(listed):.{digits}f})"


def size_rows(plan: Plan, everything: Detectors, other: Presidio | None) -> list[list[str]]:
    patterns, plain = compiled(DETECTORS).hits, one_by_one(DETECTORS)
    rows = []
    for kind, make in (("prose", clinical), ("JSON", tree)):
        for name in plan.sizes:
            text = make(SIZES[name])
            ways: dict[str, Callable[[str], float]] = {
                "patterns": partial(seconds_of, patterns, least=plan.seconds),
                "re": partial(seconds_of, plain, least=plan.seconds),
                "everything": partial(seconds_of, everything.find, least=plan.seconds),
            }
            if other and len(text) <= SLOWEST:
                ways["presidio"] = partial(asked, other)
            for way in ways.values():
                way(text[:2048])
            taken = turns(ways, text, plan.rounds)
            rows.append(_size_row(f"{kind}, {name}", len(text), taken))
    return rows


def _size_row(name: str, size: int, taken: dict[str, list[float]]) -> list[str]:
    kilobytes = size / 1024

    def rate(way: str) -> str:
        return f"{size / 1e6 / statistics.median(taken[way]):.1f}"

    def cost(way: str) -> str:
        return f"{1000 * statistics.median(taken[way]) / kilobytes:.2f}"

    def against(slower: str, faster: str) -> str:
        return spread(slow / fast for slow, fast in zip(taken[slower], taken[faster], strict=True))

    other = [cost("presidio"), against("presidio", "everything")] if "presidio" in taken else ["-", "-"]
    return [name, rate("patterns"), against("re", "patterns"), cost("everything"), *other]


# -- a growing text ---------------------------------------------------------------------------------------------------


def stream_row(name: str, detectors: Detectors, text: str) -> list[str]:
    """Feed token-sized chunks: microseconds a chunk, and how much is held back after each."""
    tokens = TOKENS.findall(text)
    warm = detectors.scanner()
    for token in tokens:  # automata grow as they meet new text, and stay
        warm.feed(token)
    scanner, costs, held = detectors.scanner(), [], []
    for token in tokens:
        start = time.process_time()
        scanner.feed(token)
        costs.append(1e6 * (time.process_time() - start))
        held.append(float(scanner.held))
    scanner.close()
    timed = [
        f"{statistics.mean(costs):.0f}",
        *(f"{percentile(costs, each):.0f}" for each in (50, 99)),
        f"{max(costs):.0f}",
    ]
    return [
        name,
        f"{len(costs):,}",
        *timed,
        f"{statistics.mean(held):.1f}",
        f"{percentile(held, 95):.0f}",
        f"{max(held):.0f}",
    ]


# -- hostile texts ----------------------------------------------------------------------------------------------------


def hostile_rows(plan: Plan, detectors: Detectors, worst: int = 8) -> list[list[str]]:
    """Return the worst texts of all, against ordinary text of the same size: for the patterns alone, for everything."""
    ordinary = clinical(plan.hostile)
    rows: list[tuple[float, list[str]]] = []
    for label, find in (("patterns", compiled(DETECTORS).hits), ("everything", detectors.find)):
        usual = min(seconds_of(find, ordinary, plan.seconds) for _ in range(3))
        found = []
        for row in DETECTORS[: plan.rows]:
            for kind, text in hostile(row, plan.hostile):
                ratio = seconds_of(find, text, 0.0) / usual
                if ratio > 2:  # once more: something else may have had the processor
                    ratio = min(ratio, seconds_of(find, text, 0.0) / usual)
                found.append((ratio, [label, row.name, kind, f"{ratio:.2f}"]))
        rows += sorted(found, key=lambda each: -each[0])[:worst]
        rows.append(
            (0.0, [label, f"all {len(found):,} texts", "median", f"{statistics.median(r for r, _ in found):.2f}"])
        )
    return [row for _, row in rows]


# -- the event loop ---------------------------------------------------------------------------------------------------


async def longest_wait(work: Callable[[], object]) -> tuple[float, float]:
    """Return by how many ms a timer of the loop was late at worst while a thread worked, and how long that took."""
    gaps, ended = [0.0], False

    async def tick() -> None:
        while not ended:
            start = time.perf_counter()
            await asyncio.sleep(TURN)
            gaps.append(time.perf_counter() - start - TURN)

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    start = time.perf_counter()
    await asyncio.to_thread(work)
    took = time.perf_counter() - start
    ended = True
    await ticking
    return 1000 * max(gaps), 1000 * took


def blocking_rows(detectors: Detectors, plan: Plan) -> list[list[str]]:
    """Mask answers as the gateway does: in a thread from 4 KB on, with its switch interval and its rare collections."""
    before, collected = sys.getswitchinterval(), gc.get_threshold()
    detectors.warm()
    settle()
    idle = [asyncio.run(longest_wait(partial(time.sleep, 0.3)))[0] for _ in range(plan.rounds)]
    rows = [["none", spread(idle), "-"]]
    try:
        for name in plan.sizes:
            answer = {"object": "chat.completion", "choices": [{"message": {"content": clinical(SIZES[name])}}]}
            body = orjson.dumps(answer)
            waits = [
                asyncio.run(longest_wait(partial(whole, body, sight(detectors), openai.DIALECT, JSON, {})))
                for _ in range(plan.rounds)
            ]
            rows.append([name, spread(wait for wait, _ in waits), spread(took for _, took in waits)])
    finally:
        sys.setswitchinterval(before)
        gc.set_threshold(*collected)
        gc.unfreeze()
    return rows


def sight(detectors: Detectors) -> Sight:
    os.environ[KEYS] = f"1 {'ab' * 32}"
    secrets = read_secrets(f"env:{KEYS}")
    transformer = Transformer(REDACT, secrets, "bench")
    return Sight(detectors, secrets, transformer, transformer, Memory())


# -- labelled data ----------------------------------------------------------------------------------------------------


class Other:
    """Presidio as `phigate evaluate` asks detectors."""

    def __init__(self, python: Path) -> None:
        self._presidio = Presidio(python)

    def find(self, text: str) -> list[Finding]:
        return [Finding(start, end, entity, score, entity) for start, end, entity, score in self._presidio.ask(text)[1]]


def data_rows(names: Sequence[str], python: Path | None) -> list[list[str]]:
    """Ours and Presidio's findings on labelled files, counted alike."""
    ways: dict[str, Callable[[], Any]] = {"Phigate": default_detectors}
    if python:
        ways[f"Presidio {presidio.version(python)}"] = partial(Other, python)
    told = partial(print, file=sys.stderr)
    rows = []
    for name in names:
        for way, build in ways.items():
            tally = evaluated(Input([name]).lines(), build, Setting(), told, workers=1, worst=0)
            rows.append([os.path.basename(name), way, *_shares(tally)])  # noqa: PTH119 -- a text, not a path
    return rows


def _shares(tally: Tally) -> list[str]:
    def told(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    ratios = (tally.recall, tally.precision)
    spans = [f"{told(each.value)} ({'-'.join(map(told, each.interval or (None, None)))})" for each in ratios]
    return [*spans, told(tally.f2), told(tally.masked.value), told(tally.negatives.value)]


# -- what is printed --------------------------------------------------------------------------------------------------

SIZE_HEAD: Final = (
    "text",
    "patterns MB/s",
    "`re` / patterns",
    "everything ms/KB",
    "Presidio ms/KB",
    "Presidio / everything",
)
STREAM_HEAD: Final = ("source", "chunks", "us a chunk", "p50", "p99", "max", "held back, characters", "p95", "max")
HOSTILE_HEAD: Final = ("what", "detector", "text", "to ordinary")
BLOCKING_HEAD: Final = ("answer", "loop late by at most, ms", "masking, ms")
DATA_HEAD: Final = ("data", "", "recall", "precision", "F2", "masked outside", "hard negatives touched")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(out: Console, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    out.print(f"\n{title}\n\n{markdown(head, rows)}", soft_wrap=True, markup=False)


def against() -> Path | None:
    """Presidio's Python; says why it is left out where it cannot be had."""
    python = presidio.environment()
    if isinstance(python, str):
        print(f"without Presidio: {python}", file=sys.stderr)
        return None
    return python


def run(plan: Plan) -> None:
    """Measure and print."""
    out = Console(highlight=False)
    python = against() if plan.against else None
    out.print(f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, re2 {version('google-re2')}")
    out.print(f"{plan.rounds} round(s), turns alternating; roster of {plan.people:,}")
    everything = default_detectors(make_roster(plan.people))
    other = Presidio(python) if python else None
    try:
        show(out, "Whole texts", SIZE_HEAD, size_rows(plan, everything, other))
    finally:
        if other:
            other.close()
    text = clinical(SIZES[plan.sizes[-1]] if len(plan.sizes) < 3 else SIZES["100 KB"])
    sources = (("patterns", Detectors()), ("everything", everything))
    show(out, "Token-sized chunks", STREAM_HEAD, [stream_row(name, each, text) for name, each in sources])
    show(out, "The event loop", BLOCKING_HEAD, blocking_rows(everything, plan))
    show(out, f"Hostile texts of {plan.hostile >> 10} KB", HOSTILE_HEAD, hostile_rows(plan, everything))


def run_data(names: Sequence[str], *, with_presidio: bool = True) -> None:
    """Evaluate ours and Presidio on labelled files, and print one table."""
    rows = data_rows(names, against() if with_presidio else None)
    show(Console(highlight=False), "Labelled data", DATA_HEAD, rows)
