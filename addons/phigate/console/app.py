"""The console's HTTP application: is it alive, is it ready, what does it count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from phigate import __version__, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def build(
    checks: Callable[[], Mapping[str, bool]], remarks: Callable[[], Mapping[str, str]] = dict[str, str]
) -> FastAPI:
    """The application; `checks` names what must be true to take traffic, `remarks` says what is amiss beside that."""
    app = FastAPI(
        title="Phigate console",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it redirects to the caller's Host, with the bearer in the form
    )

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """Every part that a decision, a mask or a record needs is there."""
        found = dict(checks())
        body: dict[str, Any] = {"ready": all(found.values()), "checks": found}
        if said := dict(remarks()):
            body["remarks"] = said
        return JSONResponse(body, status_code=200 if body["ready"] else 503)

    @app.get("/metrics")
    async def prometheus() -> Response:
        """Counters and timings in Prometheus' text format."""
        found = checks()
        metrics.JOURNAL_UP.set(float(found.get("journal", False)))
        metrics.LEDGER_UP.set(float(found.get("ledger", False)))
        return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return app
