"""Counters and timings for Prometheus: labels come from closed sets, never from a request."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

if TYPE_CHECKING:
    from phigate.exchange import Exchange

disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there; a second series for each, that nobody asks for
REGISTRY = CollectorRegistry()
EXCHANGES = Counter(
    "phigate_exchanges", "Exchanges by what became of them.", ["action", "decision", "reason"], registry=REGISTRY
)
FINDINGS = Counter("phigate_findings", "Identifiers found.", ["side", "entity"], registry=REGISTRY)
SECONDS = Histogram(
    "phigate_exchange_seconds",
    "From the request's headers to the release of its answer.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=REGISTRY,
)
UNDER_WAY = Gauge("phigate_exchanges_under_way", "Exchanges between request and answer.", registry=REGISTRY)
JOURNAL_UP = Gauge("phigate_journal_up", "1 while the journal can be written.", registry=REGISTRY)

_exchanges = lru_cache(maxsize=1024)(EXCHANGES.labels)
_findings = lru_cache(maxsize=256)(FINDINGS.labels)


def count(exchange: Exchange, seconds: float) -> None:
    """Count one exchange that is over."""
    refusal = exchange.refusal
    action = "+".join(sorted(exchange.actions)) or "unknown"
    _exchanges(action, refusal.decision if refusal else "permit", refusal.reason if refusal else "").inc()
    for side, found in (("prompt", exchange.found_in), ("answer", exchange.found_out)):
        for entity, number in found.items():
            _findings(side, entity).inc(number)
    SECONDS.observe(seconds)
