"""When a notice is sent again that was not taken, and when it is given up. Pure; times in seconds."""

from __future__ import annotations

from typing import Final

DELAYS: tuple[float, ...] = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0)
"""After the first failure, the second and so on (the shape is that of Standard Webhooks' example)."""
GIVE_UP: Final = 3 * 86_400.0
"""After what time nothing is sent any more."""
ANSWERS: Final = 1500.0
"""The same for what is said back to somebody in Slack, which listens for half an hour."""
MOST_ASKED: Final = 3600.0
"""How long a receiver may ask to be left alone (RFC 9110, 10.2.3)."""


def again(  # noqa: PLR0917 -- what it depends on
    created: float, tries: int, now: float, chance: float, asked: float = 0.0, within: float = GIVE_UP
) -> float | None:
    """When the next try is due, after `tries` of them; None where it is given up.

    `chance` (0 to 1) spreads what would come at once: up to a tenth later. `asked` is the receiver's own wish.
    """
    if tries > len(DELAYS):
        return None
    due = now + max(DELAYS[tries - 1] * (1 + chance / 10), min(asked, MOST_ASKED))
    return due if due <= created + within else None
