"""How a fault is said: lower-case, backticks round the operator's words, no type names, no full stop."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# Control characters, lone surrogates, and what turns the direction of a line round before a reviewer's eyes.
UNREADABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

# Our sentence for each kind of pydantic's errors that the schema can raise.
_SENTENCES = {
    "missing": "is missing",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list, as in `[...]`",
    "string_type": "must be a text",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def quoted(word: object) -> str:
    """An operator's word in backticks, on one line, cut when very long."""
    text = re.sub(r"\s", " ", UNREADABLE.sub("?", str(word))).replace("`", "'")
    return f"`{text[:77] + '...' if len(text) > 80 else text}`"


def fault(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("fault", "{sentence}", {"sentence": sentence})


def meant(word: str, words: Collection[str]) -> str:
    """`, did you mean ...` when one of `words` is close to a word that is not among them."""
    near = get_close_matches(word[:100], sorted(words), n=1, cutoff=0.75)
    return f", did you mean {quoted(near[0])}" if near else ""


def sentence(error: Mapping[str, Any], keys: Collection[str]) -> str:
    """The sentence for one of pydantic's errors; `keys` are the schema's, to suggest what was meant."""
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        key = str(error["loc"][-1])
        return f"unknown key {quoted(key)}{meant(key, keys)}"
    if isinstance(given, str) and given == "":
        return "is empty"
    if kind == "fault":
        return str(error["msg"])
    return _SENTENCES.get(kind, "is not valid here").format(**error.get("ctx", {}))
