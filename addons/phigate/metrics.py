"""Counters and timings for Prometheus: labels come from closed sets, never from a request.

What happens in every exchange is counted in plain numbers and told when somebody asks: the library's own counters take
a lock each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from functools import lru_cache
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as Counted
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from phigate.exchange import Exchange
    from phigate.identity.keys import KeyStatus
    from phigate.ledger.faults import Why

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds; the last bucket is what took longer."""


class Tally(Collector):
    """All exchanges since the start; counted and asked on one thread."""

    def __init__(self) -> None:
        self._exchanges: Counter[tuple[str, str, str]] = Counter()
        self._findings: Counter[tuple[str, str]] = Counter()
        self._shadow: Counter[str] = Counter()
        self._taken = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def count(self, exchange: Exchange, seconds: float) -> None:
        """Count one exchange that is over."""
        refusal = exchange.refusal
        decision, reason = (
            (refusal.decision, refusal.reason) if refusal else (getattr(exchange.decision, "verb", "permit"), "")
        )
        self._exchanges[_named(exchange.actions), decision, reason] += 1
        for side, found in (("prompt", exchange.found_in), ("answer", exchange.found_out)):
            for entity, number in found.items():
                self._findings[side, entity] += number
        if exchange.shadow is not None:
            broke = "error" in exchange.shadow
            self._shadow.update(["error"] if broke else exchange.shadow["differs"] or ["same"])
        self._taken[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def collect(self) -> Iterator[Metric]:
        labels = ["action", "decision", "reason"]
        exchanges = CounterMetricFamily("phigate_exchanges", "Exchanges by what became of them.", labels=labels)
        for key, number in self._exchanges.items():
            exchanges.add_metric(key, number)
        findings = CounterMetricFamily("phigate_findings", "Identifiers found.", labels=["side", "entity"])
        for pair, number in self._findings.items():
            findings.add_metric(pair, number)
        shadow = CounterMetricFamily("phigate_shadow", "Exchanges by how a policy on trial differs.", labels=["change"])
        for change, number in self._shadow.items():
            shadow.add_metric([change], number)
        yield exchanges
        yield findings
        yield shadow
        ends = [*map(str, BUCKETS), "+Inf"]
        yield HistogramMetricFamily(
            "phigate_exchange_seconds",
            "From the request's headers to the release of its answer.",
            buckets=list(zip(ends, accumulate(self._taken), strict=True)),
            sum_value=self._seconds,
        )


class Parts(Collector):
    """What the gateway asks, and how often that failed; whoever has it sets where to look."""

    issuers: Callable[[], Iterable[KeyStatus]] = tuple
    faults: Callable[[], Iterable[tuple[str, str, str, int]]] = tuple
    ledger: Mapping[Why, int] = MappingProxyType({})

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("phigate_issuer_up", "1 while an issuer's keys are had when due.", labels=["issuer"])
        age = GaugeMetricFamily("phigate_issuer_keys_age_seconds", "Since keys were had.", labels=["issuer"])
        for keys in self.issuers():
            up.add_metric([keys.issuer], float(keys.fault is None and keys.state != "missing"))
            if keys.age is not None:
                age.add_metric([keys.issuer], keys.age)
        labels = ["issuer", "of", "why"]
        faults = CounterMetricFamily("phigate_issuer_faults", "What an issuer did not answer.", labels=labels)
        for issuer, of, why, times in self.faults():
            faults.add_metric([issuer, of, why], times)
        ledger = CounterMetricFamily("phigate_ledger_faults", "What the ledger did not do, and why.", labels=["why"])
        for why, times in list(self.ledger.items()):
            ledger.add_metric([why], times)
        yield from (up, age, faults, ledger)


@lru_cache(maxsize=256)
def _named(actions: frozenset[str]) -> str:
    return "+".join(sorted(actions)) or "unknown"


REGISTRY = CollectorRegistry()
TALLY, PARTS = Tally(), Parts()
REGISTRY.register(TALLY)
REGISTRY.register(PARTS)
UNDER_WAY = Gauge("phigate_exchanges_under_way", "Exchanges between request and answer.", registry=REGISTRY)
LEDGER_UP = Gauge("phigate_ledger_up", "1 while the ledger answers.", registry=REGISTRY)
JOURNAL_UP = Gauge("phigate_journal_up", "1 while the journal can be written.", registry=REGISTRY)
JOURNAL_FREE = Gauge("phigate_journal_free_bytes", "Bytes left on the journal's disk.", registry=REGISTRY)
JOURNAL_FAULTS = Gauge("phigate_journal_faults", "How often the journal could not be written.", registry=REGISTRY)
ANCHOR_UP = Gauge(
    "phigate_anchor_up", "1 while an anchor takes the journal's checkpoints.", ["anchor"], registry=REGISTRY
)
REVIEWS = Gauge(
    "phigate_reviews",
    "Uses of break-glass that nobody reviewed: all, and those whose review is late.",
    ["state"],
    registry=REGISTRY,
)
"""`open` and `overdue`, as the ledger last told them; none before it did."""
CONNECTIONS = Gauge(
    "phigate_connections",
    "Connections of callers, by whether a bearer on them was believed.",
    ["state"],
    registry=REGISTRY,
)
CONNECTIONS_ENDED = Counted(
    "phigate_connections_ended", "Connections of callers that the gateway ended, and why.", ["why"], registry=REGISTRY
)
UPSTREAM_FAULTS = Counted(
    "phigate_upstream_faults", "Exchanges that a model server failed, and how.", ["model", "why"], registry=REGISTRY
)
"""`model` is the policy's name of it; `default` is the server that mitmproxy was started with."""
WEBHOOKS = Counted(
    "phigate_webhooks", "Notices by webhook and what came of them.", ["webhook", "outcome"], registry=REGISTRY
)
WEBHOOKS_WAITING = Gauge("phigate_webhooks_waiting", "Notices that wait to be sent.", ["webhook"], registry=REGISTRY)
CLOCK_STEPS = Counted(
    "phigate_clock_steps", "How often the wall clock was put forward or back.", ["direction"], registry=REGISTRY
)
CLOCK_AHEAD = Gauge(
    "phigate_clock_ahead_seconds", "By how much the clock is ahead of that of the ledger's database.", registry=REGISTRY
)
"""Not a number where the ledger has no clock of its own."""
count = TALLY.count
