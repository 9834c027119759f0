"""The dialects that the gateway speaks, and all their routes. A new dialect is a table of its own and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.dialect import (
    anthropic,
    cohere,
    generic,
    kserve,
    llamacpp,
    mcp,
    ollama,
    openai,
    openai_audio,
    openai_lists,
    openai_responses,
    realtime,
    sglang,
    tfserving,
    tgi,
    torchserve,
    torchserve_models,
    vllm,
)

if TYPE_CHECKING:
    from phigate.dialect.routes import Route
    from phigate.dialect.table import Dialect

TABLES = (
    anthropic,
    cohere,
    generic,
    kserve,
    llamacpp,
    mcp,
    ollama,
    openai,
    openai_audio,
    openai_lists,
    openai_responses,
    realtime,
    sglang,
    tfserving,
    tgi,
    torchserve,
    torchserve_models,
    vllm,
)

DIALECTS: dict[str, Dialect] = {table.DIALECT.name: table.DIALECT for table in TABLES}

PROTOCOLS = frozenset(dialect.protocol for dialect in DIALECTS.values())
"""What a policy may say that a model's server speaks."""

ROUTES = tuple(route for dialect in DIALECTS.values() for route in dialect.routes)


def spoken(route: Route) -> Dialect:
    """The table of a route: its own, or its dialect's."""
    return route.table or dialect_of(route.dialect)


def dialect_of(name: str | None) -> Dialect:
    """The dialect that a route speaks; OpenAI's where no route is known, for its errors are read most widely."""
    return DIALECTS.get(name or "", openai.DIALECT)
