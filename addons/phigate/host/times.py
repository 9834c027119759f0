"""Options that are stretches of time: seconds, as an operator writes them."""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,3})?")


class TimeFault(ValueError):  # noqa: N818 -- the operator's fault, told in the operator's words
    """An option is no time; the message is the operator's."""


def seconds(option: str, text: str, least: float = 0.0) -> float:
    """A number of seconds; raises TimeFault."""
    if not _SECONDS.fullmatch(text) or float(text) < least:
        raise TimeFault(f"option `{option}`: must be seconds, from {least:g} to 99999")
    return float(text)
