"""What in a request decides word by word what a model writes: an identifier could be asked out of it in pieces."""

from __future__ import annotations

from typing import Any

FEW = 2
"""Tokens, or characters, up to which a limit cuts pieces that nothing is found in."""


def tiny(limit: Any) -> bool:
    """Whether a limit of tokens or characters is one or two; none at all lets nothing out."""
    return isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit <= FEW


def narrows(schema: Any) -> bool:
    """Whether a JSON Schema (2020-12, validation 6.1 and 6.3) leaves a string to write only of certain forms."""
    if isinstance(schema, list):
        return any(map(narrows, schema))
    if not isinstance(schema, dict):
        return False
    chosen = isinstance(schema.get("enum"), list) or isinstance(schema.get("pattern"), str) or "const" in schema
    return chosen or tiny(schema.get("maxLength")) or any(map(narrows, schema.values()))
