"""Recorded flows decided again: a file of them in, one line a flow out, and what they come to. Pure.

The deciding is the backtest's. Nothing is printed of what anybody said: a line holds a time, names, decisions and words
of ours, and whatever a file says in their place is cut and stays in its line.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.audit.backtest.compare import Backtest
from phigate.audit.backtest.kept import Kept, Taken
from phigate.audit.backtest.tally import KINDS, Tally
from phigate.dialect.tree import too_deep
from phigate.host.recordings.flowfile import NoFlow, flows
from phigate.host.recordings.recorded import Recorded, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from phigate.policy.schema import Policy

LONGEST: Final = 64
"""Characters of a name that are printed."""
AS_RECORDED: Final = "as-recorded"
ORIGINAL: Final = "original"
"""The member of a request that says that its body was never masked."""
NOT_RECORDED: Final = "not-recorded"
_APART: Final = {NOT_RECORDED: NOT_RECORDED, "nobody": AS_RECORDED}
"""By why a flow has no records: whoever was not believed then asked no policy."""
UNTOLD: Final = ("undecided", "unreadable", NOT_RECORDED)


class Rerun:
    """One policy, and what it makes of the flows of a file; counts are of flows, by the words of `phigate backtest`.

    `past` are policies that may have decided at the time, known again by their hash: they tell what a prompt matched
    that is masked now.
    """

    def __init__(self, policy: Policy, past: Sequence[Policy] = ()) -> None:
        self._policy = policy
        self._backtest = Backtest(policy, past=past, kept=_Carried())
        self.counts: Counter[str] = Counter()
        self.changed = 0
        self.untold = 0
        self.flows = 0

    def lines(self, file: BinaryIO) -> Iterator[tuple[str, bool]]:
        """(line, whether it tells of anything but that all is as it was) of each flow."""
        for state in flows(file):
            self.flows += 1
            words, line = self._flow(state)
            self.counts.update(words)
            self.changed += not words.isdisjoint(KINDS) and not words <= {*UNTOLD}
            self.untold += not words.isdisjoint(UNTOLD)
            yield line, words != {AS_RECORDED}

    def summary(self) -> Sequence[str]:
        told = [f"{count} {word}" for word in (AS_RECORDED, *KINDS, NOT_RECORDED) if (count := self.counts[word])]
        counted = "1 flow" if self.flows == 1 else f"{self.flows} flows"
        return [f"{counted} under policy {self._policy.sha256[:12]}: {', '.join(told) or 'nothing to decide'}"]

    def _flow(self, state: dict[str, Any] | NoFlow) -> tuple[set[str], str]:
        try:
            if isinstance(state, NoFlow):
                raise state
            found = recorded(state)
        except NoFlow as fault:
            word = _APART.get(str(fault), "unreadable")
            return {word}, f"flow {self.flows}: {word}" + ("" if word == str(fault) else f" ({fault})")
        try:
            tally = self._again(found)
        except Exception as error:  # noqa: BLE001 -- whatever a stranger wrote, the next flow is looked at
            tally = Tally(unreadable=Counter([type(error).__name__]))
        return _words(tally), f"{_head(found)}: {'; '.join(_told(tally))}"

    def _again(self, found: Recorded) -> Tally:
        """What comes of it: the records it was made of, with the bodies that the flow has."""
        tally = Tally()
        moment = datetime.fromtimestamp(found.time, UTC).isoformat()
        # Two flows may claim to be one exchange. A gateway's own flows have no time in their records.
        self._backtest.tally, own = tally, {"exchange": f"flow {self.flows}", "ts": moment}
        body = _body(found.body)
        whole = {} if found.masked else {ORIGINAL: True}
        self._backtest.add({**found.request, **own, **whole, "kind": "request", "body": body})
        for said, content in found.messages:
            self._backtest.add({**said, **own, "kind": "message", "body": _body(content)})
        if found.response is not None:
            self._backtest.add({**found.response, **own, "kind": "response"})
        return tally


class _Carried(Kept):
    """Bodies as the flows carry them: an original, where it was never masked, is a tree already."""

    def take(self, record: dict[str, Any]) -> Taken:
        body = record.get("body")
        return _Whole(body, b"") if record.get(ORIGINAL) else Taken(body)


class _Whole(Taken):
    @property
    def tree(self) -> Any:
        return self.body if isinstance(self.body, dict) else None


def _body(content: bytes) -> Any:
    """The tree of a masked body; None where there is none."""
    try:
        tree = orjson.loads(content)
    except ValueError:
        return None
    return None if too_deep(tree) else tree


def _words(tally: Tally) -> set[str]:
    words = {*tally.kinds, *(["unreadable"] if tally.unreadable else ())}
    return words or {AS_RECORDED}


def _told(tally: Tally) -> Iterator[str]:
    """What would change, in the words of a decision and of masks."""
    for change in tally.changes:
        yield f"{', '.join(change.kinds)}: {plain(change.before)} -> {plain(change.after)}"
    for masked in tally.masks:
        yield f"{masked.kind}: {plain(masked.entity)} to the {masked.side} ({masked.before} -> {masked.after})"
    for left in tally.open:
        likely = f", likely {', '.join(left.likely)}" if left.likely else ""
        yield f"undecided: {left.why}{likely}"
    for reason in chain(tally.apart):
        yield f"{AS_RECORDED}: deny {plain(reason)}"
    for reason in tally.unreadable:
        yield f"unreadable: {reason}"
    if tally.same and not (tally.changes or tally.masks or tally.open):
        yield AS_RECORDED


def _head(found: Recorded) -> str:
    """When, which, who, what, of which model."""
    request = found.request
    moment = datetime.fromtimestamp(found.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    subject = request.get("subject")
    who = subject.get("id") if isinstance(subject, dict) else None
    actions = request.get("action")
    what = "+".join(str(each) for each in actions) if isinstance(actions, list) else None
    return " ".join([moment, *(plain(each) for each in (request.get("exchange"), who, what, request.get("model")))])


def plain(value: object) -> str:
    """A name as it may stand in a line, whoever wrote it; `-` for none."""
    if not isinstance(value, str) or not value:
        return "-"
    kept = "".join(char if char.isprintable() else "\ufffd" for char in value[: LONGEST + 1])
    return f"{kept[:LONGEST]}..." if len(kept) > LONGEST else kept
