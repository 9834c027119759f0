"""What people look for among flows, in mitmproxy and mitmweb: found in time that grows with the text and no faster.

Filters are parsed and run in the loop that the traffic runs in. mitmproxy's parser takes four times as long for each
parenthesis within another (eight of them: half a minute), and Python's patterns go back and try again: with either,
whoever may look keeps the gateway for as long as they like. So the parser remembers what it has tried, and patterns are
RE2's; what RE2 does not know (looking back, looking ahead) is no filter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pyparsing
from mitmproxy import flowfilter

from phigate.policy.patterns import BadPatternError, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 500
"""Characters of a filter."""
_FLAGS: Final = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"))


def compiled(expression: str, flags: int) -> Any:
    """A pattern for texts or bytes; raises ValueError."""
    said = "".join(letter for flag, letter in _FLAGS if flags & flag)
    try:
        return compile_pattern(f"(?{said}:{expression})" if said else expression)
    except BadPatternError:
        raise ValueError("Cannot compile expression.") from None


def _begun(action: Any, expr: str) -> None:
    """`_Rex.__init__`."""
    action.expr = expr
    action.re = compiled(expr, action.flags | flowfilter.maybe_ignore_case)


def bounded(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """`flowfilter.parse`, which raises ValueError also for what is too long or too deep."""

    def parsed(s: str) -> Any:
        if len(s) > LONGEST:
            raise ValueError("Filter expression too long.")
        try:
            return parse(s)
        except RecursionError:
            raise ValueError("Filter expression too deep.") from None

    return parsed


def install() -> None:
    """Take the place of mitmproxy's; raises AttributeError where this mitmproxy has other seams."""
    pyparsing.ParserElement.enable_packrat()
    setattr(flowfilter._Rex, "__init__", _begun)  # noqa: B010, SLF001 -- mitmproxy has no seam for it
    setattr(flowfilter, "parse", bounded(flowfilter.parse))  # noqa: B010 -- as above
