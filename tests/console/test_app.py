"""The console's application, asked over HTTP without a socket."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from phigate.console.app import build

GOOD = {"gateway": True, "policy": True, "journal": True, "keys": True}


async def get(path, checks=None, method="GET", remarks=()):
    transport = httpx.ASGITransport(build(lambda: GOOD if checks is None else checks, lambda: dict(remarks)))
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        return await client.request(method, path)


async def test_it_is_alive_whatever_the_checks_say():
    answer = await get("/healthz", {"gateway": False})
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


READINESS = [("all of them hold", {}, 200), *((f"`{name}` does not hold", {name: False}, 503) for name in GOOD)]


@pytest.mark.parametrize(("sentence", "changed", "status"), READINESS, ids=[case[0] for case in READINESS])
async def test_it_is_ready_if(sentence, changed, status):
    answer = await get("/readyz", GOOD | changed)
    assert answer.status_code == status
    assert answer.json() == {"ready": status == 200, "checks": GOOD | changed}


async def test_readiness_says_what_is_amiss_beside_that():
    answer = await get("/readyz", remarks={"journal-space": "low: 9 MB are left"})
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": GOOD, "remarks": {"journal-space": "low: 9 MB are left"}}


@pytest.mark.parametrize(("journal", "up"), [(True, 1.0), (False, 0.0)], ids=["up", "down"])
async def test_metrics_are_in_prometheus_format_and_say_how_the_journal_is(journal, up):
    answer = await get("/metrics", GOOD | {"journal": journal})
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["phigate_journal_up"].samples[0].value == up
    assert {"phigate_exchanges", "phigate_findings", "phigate_exchange_seconds"} <= set(families)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/", "/v1/chat/completions", "/readyz/", "//readyz"])
async def test_it_has_nothing_else(path):
    assert (await get(path)).status_code == 404


async def test_it_can_only_be_asked():
    assert (await get("/readyz", method="POST")).status_code == 405
