"""The probe: arms the model server, sends a request through the gateway, and judges what comes out, cut by cut."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import httpx

from phigate.conformance import wire
from phigate.conformance.cases import fill
from phigate.conformance.cuts import SOME, cuts
from phigate.conformance.judge import CUT, KINDS, Seen, judge
from phigate.conformance.upstream import Armed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from phigate.conformance.cases import Case
    from phigate.conformance.cuts import Cut
    from phigate.conformance.upstream import Upstream

SECONDS: Final = 10.0
MOST: Final = 16 * 1024 * 1024
"""Bytes of an answer that are read."""
_LANES: Final = 4
"""Paths that are tried at the same time: a path has one armed answer."""
_SLOW: Final = 3
"""An answer in so few pieces has a pause between them, so that they do not arrive together."""


@dataclass(slots=True)
class Cell:
    """What became of one case: how often which verdict, and the first example of each."""

    case: Case
    verdicts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The worst that happened."""
        return max(self.verdicts, key=KINDS.index)

    def add(self, kind: str, cut: str, why: str) -> None:
        self.verdicts[kind] += 1
        self.examples.setdefault(kind, f"{cut}: {why}" if why else cut)


@dataclass(frozen=True, slots=True)
class Probing:
    """How to ask: `limit` places at which texts are cut, None for all; `pause` seconds between two pieces."""

    url: str
    bearer: str = ""
    model: str = "ward-assistant"
    limit: int | None = SOME
    pause: float = 0.001
    seconds: float = SECONDS


class Prober:
    """Sends one request at a time on each path."""

    def __init__(self, probing: Probing, upstream: Upstream, client: httpx.AsyncClient) -> None:
        self._probing, self._upstream, self._client = probing, upstream, client
        self._turns = itertools.count(1)

    async def run(self, case: Case) -> Cell:
        """Every cut of a case."""
        cell = Cell(case)
        for cut in cuts(case, self._probing.limit):
            verdict = judge(case, await self.send(case, cut))
            cell.add(verdict.kind, cut.name, verdict.why)
        return cell

    async def send(self, case: Case, cut: Cut) -> Seen:
        """One exchange; what a client sees of it."""
        probing, ask = self._probing, case.ask
        path = ask.path.replace("{model}", probing.model)
        words = {"model": probing.model, "turn": f"How is the patient today? ({next(self._turns)})"}
        answer = wire.answer(case, at=cut.text, model=probing.model)
        parts = wire.pieces(answer.parts, cut.raw)
        pause = probing.pause if len(parts) <= _SLOW else 0.0
        armed = Armed(answer.status, answer.headers, parts, chunked=case.streamed, pause=pause)
        self._upstream.arm(path, armed)
        body = _body(ask.body, words)
        headers = {"content-type": "application/json"} if ask.body is not None else {}
        headers |= {"authorization": f"Bearer {probing.bearer}"} if probing.bearer else {}
        seen = await self._exchange(ask.method, path, headers | dict(ask.headers), body)
        return replace(seen, asked=armed.asked > 0)

    async def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Seen:
        status, fields, raw, fault = 0, {}, bytearray(), ""
        try:
            async with (
                asyncio.timeout(self._probing.seconds),
                self._client.stream(method, path, headers=headers, content=body) as answer,
            ):
                status, fields = answer.status_code, {name.lower(): value for name, value in answer.headers.items()}
                async for chunk in answer.aiter_bytes():
                    raw += chunk
                    if len(raw) > MOST:
                        fault = "too long"
                        break
        except TimeoutError:
            fault = "hung"
        except (httpx.HTTPError, OSError) as error:
            fault = f"{CUT} ({type(error).__name__})"
        return Seen(status, fields, bytes(raw), fault)


def _body(body: Any, words: Mapping[str, str]) -> bytes | None:
    if isinstance(body, bytes):
        return body.replace(b"{model}", words["model"].encode())
    return None if body is None else json.dumps(fill(body, words)).encode()


async def probe(
    probing: Probing, upstream: Upstream, cases: Iterable[Case], told: Callable[[Cell], None] = lambda _cell: None
) -> list[Cell]:
    """The cells of some cases, in their order; `told` hears of each when it is done."""
    order = list(cases)
    lanes: dict[str, list[int]] = defaultdict(list)
    for at, case in enumerate(order):
        lanes[case.ask.path].append(at)
    cells: dict[int, Cell] = {}
    turn = asyncio.Semaphore(_LANES)
    async with httpx.AsyncClient(base_url=probing.url, trust_env=False, timeout=None) as client:  # noqa: S113 -- bounded as a whole
        prober = Prober(probing, upstream, client)

        async def walk(lane: list[int]) -> None:
            for at in lane:
                async with turn:
                    cells[at] = await prober.run(order[at])
                told(cells[at])

        await asyncio.gather(*map(walk, lanes.values()))
    return [cells[at] for at in range(len(order))]
