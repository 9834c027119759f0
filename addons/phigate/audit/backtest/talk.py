"""What was said on an open connection, decided again message by message, each read with those before it. Pure.

A message's record says whether it went on, and not by which rule: only that is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phigate.access.messages import Said, Told
from phigate.audit.backtest import recorded
from phigate.audit.backtest.judge import MOST_OPEN, made, patterns_of, worlds
from phigate.dialect.known import spoken
from phigate.dialect.tree import TreeError
from phigate.policy.patterns import Prompt
from phigate.policy.verdict import Verdict
from phigate.policy.words import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.audit.backtest.judge import Given, Judge, Key, Question, World
    from phigate.audit.backtest.recorded import Record, Request
    from phigate.dialect.routes import Route

    type _Asked = tuple[Judge, Question, Verdict]

GOES_ON, IS_REFUSED = Verdict("permit", "message"), Verdict("deny", "message")
_OF_RULES = REASONS | {"connection-changed"}


class Spoken:
    """What is known of a conversation so far; its content passed, as far as this is asked."""

    def __init__(self, route: Route, given: Given) -> None:
        self.given = given
        self._route, self._told, self._masked = route, Told(), False
        self._prompt: Prompt | None = None
        self.content = True, False

    def hear(self, record: Record, body: Any, *, masked: bool) -> bool:
        """Take in one message of the caller's; False where nothing of it is kept."""
        talk = self._route.talk
        self._masked = self._masked or (masked and bool(recorded.found(record)))
        if not isinstance(body, dict) or talk is None:
            return False
        said = Said(body, talk.without_raw(body), readable=True, steers=False, names=())
        try:
            self._prompt = Prompt(self._told.and_(said, spoken(self._route)))
        except TreeError:
            return False
        return True

    def world(self, asked: dict[Key, tuple[Any, ...]]) -> tuple[World, tuple[Key, ...]]:
        """What holds, and what of it is not sure."""
        prompt = self._prompt or Prompt(())
        holds = {key: bool(patterns) and prompt.matches(patterns) for key, patterns in asked.items()}
        return holds, tuple(key for key, patterns in asked.items() if patterns and self._masked)


@dataclass(slots=True)
class Talk:
    """An open connection: who is asked what about it, and how it is seen under each of them.

    `past` decided at the time, if it is at hand; `old` is compared with instead of what was recorded.
    """

    request: Request
    new: tuple[Judge, Verdict]
    old: tuple[Judge, Verdict] | None
    past: tuple[Judge, Verdict] | None
    spoken: Spoken
    emergency: World = field(default_factory=dict)
    """What holds of its headers."""

    def message(self, record: Record, body: Any, *, masked: bool = True) -> list[tuple[Verdict, Verdict]] | str:
        """What may come of a message on both sides, the likely first; or why that cannot be told.

        `body` is what is kept of it, `masked` or as it was.
        """
        refused = recorded.text(record, "refused")
        now = recorded.at(record)
        if refused is not None and refused not in _OF_RULES:
            return []
        if not self.spoken.hear(record, body, masked=masked) or now is None:
            return "message-unread"
        at_the_time = IS_REFUSED if refused else GOES_ON
        found = list(self._cases(at_the_time, now))
        return found or "prompt-masked"

    def _cases(self, at_the_time: Verdict, now: float) -> Iterator[tuple[Verdict, Verdict]]:
        new, old, past = (_asked(side, self.request, now) for side in (self.new, self.old, self.past))
        sides = [side for side in (new, old, past) if side is not None]
        likely, unsure = self.spoken.world(patterns_of(*(question for _, question, _ in sides)))
        if new is None or len(unsure) > MOST_OPEN:
            return
        for case in worlds(likely, unsure):
            world = {**case, **self.emergency}
            if past is not None and self._goes(past, world) != at_the_time:
                continue  # it was otherwise: the record says so
            yield self._goes(old, world) if old is not None else at_the_time, self._goes(new, world)

    def _goes(self, side: _Asked, world: World) -> Verdict:
        """A message goes on where it is permitted, and seen as the connection is."""
        judge, question, opened = side
        said = made(judge, question, world, self.spoken)
        same = (said.verb, said.mask, said.prompt) == ("permit", opened.mask, opened.prompt)
        return GOES_ON if same else IS_REFUSED


def _asked(side: tuple[Judge, Verdict] | None, request: Request, now: float) -> _Asked | None:
    """What one of them is asked at this time."""
    return (side[0], side[0].question(request, now), side[1]) if side is not None else None
