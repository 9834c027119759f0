"""Recorded requests decided again under another policy, and what comes out otherwise. Pure: records in, counts out.

The other side of the comparison is what the record says was decided, or a second policy on the same traffic. What is
shown of an answer is compared by kinds of identifiers: by the masks of both decisions where the policy of the time is
at hand, else by which identifiers the record says were shown as they were.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from phigate.audit.backtest import recorded
from phigate.audit.backtest.judge import EMERGENCY, MOST_OPEN, Heard, Judge, made, patterns_of, worlds
from phigate.audit.backtest.kept import Kept
from phigate.audit.backtest.remask import Remask
from phigate.audit.backtest.talk import Spoken, Talk
from phigate.audit.backtest.tally import Place, Tally, said
from phigate.policy.load import PolicyFaults, parse_policy
from phigate.policy.masks import Transform
from phigate.policy.verdict import changes, hides, shift, shifts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from phigate.audit.backtest.judge import Question, World
    from phigate.audit.backtest.kept import Taken
    from phigate.audit.backtest.recorded import Record, Request
    from phigate.audit.backtest.remask import Eyes
    from phigate.dialect.routes import Route
    from phigate.policy.masks import Mask
    from phigate.policy.schema import Policy
    from phigate.policy.verdict import Verdict

LIVE: Final = 65_536
"""Exchanges whose answer is still to come that are remembered."""
MAY_GIVE_BACK: Final = frozenset({"year", "zip3", "cap-90", "generalise", "keep-last"})
"""Transforms that leave some values as they were: one that was shown may have been hidden like this."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """What came of a request on both sides; `known` says that the masks of the old one are, `by` whose they are."""

    old: Verdict
    new: Verdict
    known: bool
    by: Policy | None = None

    @property
    def signature(self) -> tuple[Any, ...]:
        """What differs, whichever rule it is by: equal for pairs of which the first may stand for all."""
        changed = tuple(kind for kind in changes(self.old, self.new) if kind != "rule-only")
        if self.old.verb != "permit" or self.new.verb != "permit":
            return changed
        if not self.known:
            return *changed, self.new.mask, self.new.prompt
        masks = {"answer": (self.old.mask, self.new.mask), "prompt": (self.old.prompt, self.new.prompt)}
        return *changed, *((side, *sorted(found.items())) for side, of in masks.items() if (found := shifts(*of)))


@dataclass(slots=True)
class _Under:
    """An exchange that is under way: `names` are those that its prompt showed to `remask`."""

    pair: _Pair
    place: Place
    talk: Talk | None
    request: Request
    route: Route | None
    remask: Remask | None = None
    names: Any = None


class Backtest:
    """Compares, record by record; `tally` is what came out so far.

    `against` is the policy on the other side (None: what was recorded); `past` are further policies that may have
    decided at the time, which are known again by their hash. `kept` has the originals, where they can be opened, and
    `eyes` tells what a policy sees with: then prompts and answers are masked anew.
    """

    def __init__(
        self,
        policy: Policy,
        against: Policy | None = None,
        past: Iterable[Policy] = (),
        kept: Kept | None = None,
        eyes: Callable[[Policy], Eyes] | None = None,
    ) -> None:
        self.tally = Tally()
        self._folder = policy.folder
        self._new = Judge(policy)
        self._old = Judge(against) if against else None
        self._past = {each.policy.sha256: each for each in (*map(Judge, past), *filter(None, (self._old, self._new)))}
        self._kept, self._eyes = kept or Kept(), eyes
        self._live: OrderedDict[str, _Under] = OrderedDict()

    def add(self, record: dict[str, Any]) -> None:
        """Look at one record; those of other kinds than an exchange's pass unseen."""
        kind = record["kind"]
        if kind == "request":
            self._ask(record, self._kept.take(record))
        elif kind == "hold":  # its request follows, and is decided about
            self._kept.take(record)
        elif kind == "response":
            self._answered(record)
        elif kind == "part":
            self._kept.part(record)
        elif kind == "message":
            self._said(record, self._kept.take(record))
        elif kind == "policy":
            self._remember(record)

    def _remember(self, record: dict[str, Any]) -> None:
        """A policy that came in force, where the record tells its text and this version reads it as it was meant."""
        named, text = recorded.text(record, "policy"), record.get("body")
        if named is None or not isinstance(text, str) or named in self._past:
            return
        with contextlib.suppress(PolicyFaults):
            found = parse_policy(text.encode(), "policy", self._folder)
            if found.sha256 == named:
                self._past[named] = Judge(found)

    def _ask(self, record: dict[str, Any], taken: Taken) -> None:
        tally, request = self.tally, recorded.request_of(record)
        tally.exchanges += 1
        place = Place(str(record.get("exchange")), recorded.roles(record), recorded.text(record, "model") or "-")
        decided, now = recorded.decided(record), recorded.at(record)
        if request is None or now is None:
            tally.unreadable["request"] += 1
            return
        past = self._past.get(recorded.text(record, "policy") or "")
        if decided is None:
            self._apart(record, place, past)
            return
        new = self._new.question(request, now)
        known = past.question(request, now) if past else None
        record["body"] = taken.body
        heard = Heard(record, new.route, known=known, past=past.policy if past else None, original=taken.tree)
        old = self._old.question(request, now) if self._old else known
        if unknown := new.open or (old.open if self._old and old else None):
            tally.leave_open(unknown, (), place)
            return
        pair = self._compare(list(self._pairs(decided, (past, known), new, old, heard)), heard, place)
        if pair is None or pair.old.verb != "permit" or pair.new.verb != "permit":
            return
        talk = self._talk(pair, request, new.route, past, heard) if new.route and new.route.talk else None
        under = _Under(pair, place, talk, request, new.route, self._remask(pair))
        self._prompted(under, record, taken.tree)
        if talk or not pair.known or under.names or shifts(pair.old.mask, pair.new.mask):
            self._live[place.exchange] = under
            if len(self._live) > LIVE:
                self._live.popitem(last=False)

    def _remask(self, pair: _Pair) -> Remask | None:
        """What masks originals anew; not where an answer has in it what stood in for a prompt's values."""
        if self._eyes is None or pair.by is None or pair.old.restore or pair.new.restore:
            return None
        return Remask(self._eyes(pair.by), self._eyes(self._new.policy))

    def _prompted(self, under: _Under, record: Record, tree: Any) -> None:
        """What of a prompt the model sees otherwise: by the prompt as it was, or by what was found in it."""
        if under.remask is None or under.route is None or tree is None:
            self._seen(under.pair, under.place, "model", record)
            return
        verdicts = under.pair.old, under.pair.new
        try:
            found, under.names = under.remask.prompt(under.request, under.route, tree, verdicts)
        except ValueError:
            self._seen(under.pair, under.place, "model", record)
        else:
            self._seen_anew(under, "model", record, found)

    def _seen_anew(self, under: _Under, side: str, record: Record, found: Mapping[tuple[str, str], int]) -> None:
        """What was found when an original was masked again; and what is hidden in another way than it was."""
        pair, place = under.pair, under.place
        masks = (pair.old.mask, pair.new.mask) if side == "caller" else (pair.old.prompt, pair.new.prompt)
        for (kind, entity), number in sorted(found.items()):
            self.tally.mask(
                place, pair.new, side, entity, (_way(masks[0], entity), _way(masks[1], entity)), kind, number
            )
        self._seen(pair, place, side, record, only="masked-otherwise")

    def _talk(self, pair: _Pair, request: Request, route: Route, past: Judge | None, heard: Heard) -> Talk:
        """The connection that a request opened."""
        return Talk(
            request,
            (self._new, pair.new),
            (self._old, pair.old) if self._old is not None else None,
            (past, pair.old) if past and pair.known and self._old is None else None,
            Spoken(route, heard.given),
            heard.world({EMERGENCY: ()})[0],
        )

    def _apart(self, record: Record, place: Place, past: Judge | None) -> None:
        """Who was refused for something that no rule is about would be again; or it cannot be told."""
        reason = recorded.why(record)
        if reason in recorded.NAMELESS and past is not self._new:
            self.tally.leave_open("model-not-recorded", (), place)
        else:
            self.tally.apart[reason] += 1

    def _pairs(
        self,
        decided: Verdict,
        past: tuple[Judge | None, Question | None],
        new: Question,
        old: Question | None,
        heard: Heard,
    ) -> Iterator[_Pair | None]:
        """What comes of it on both sides in every case that is possible; None where there are too many."""
        likely, unsure = heard.world(patterns_of(new, *((old,) if old is not None else ())))
        if len(unsure) > MOST_OPEN:
            yield None
            return
        for world in worlds(likely, unsure):
            after = made(self._new, new, world, heard)
            if self._old is not None and old is not None:
                yield _Pair(made(self._old, old, world, heard), after, known=True, by=self._old.policy)
            else:
                yield _masked(decided, past, world, heard, after)

    def _compare(self, pairs: list[_Pair | None], heard: Heard, place: Place) -> _Pair | None:
        """Count a request by what may come of it; the pair of verdicts, where they are known."""
        first = pairs[0]
        if first is None:
            self.tally.leave_open(heard.why, (), place)
            return None
        alike = first.signature
        if any(each is None or each.signature != alike for each in pairs[1:]):
            self.tally.leave_open(heard.why, changes(first.old, first.new), place)
            return None
        self.tally.compare(place, first.old, first.new, changes(first.old, first.new))
        return first

    def _answered(self, record: dict[str, Any]) -> None:
        under = self._live.pop(str(record.get("exchange")), None)
        taken = self._kept.take(record) if self._kept.opens else None
        if under is None:
            return
        if under.remask is None or under.names is None or under.route is None or taken is None or not taken.original:
            self._seen(under.pair, under.place, "caller", record)
            return
        verdicts = under.pair.old, under.pair.new
        try:
            found = under.remask.answer(under.request, under.route, taken.original, verdicts, under.names, record)
        except ValueError:
            self._seen(under.pair, under.place, "caller", record)
        else:
            self._seen_anew(under, "caller", record, found)

    def _said(self, record: dict[str, Any], taken: Taken) -> None:
        """A message on an open connection."""
        under = self._live.get(str(record.get("exchange")))
        if under is None or under.talk is None or record.get("from") != "caller":
            return
        place, cases = under.place, under.talk.message(record, taken.tree or taken.body, masked=taken.tree is None)
        if isinstance(cases, str):
            self.tally.leave_open(cases, (), place)
        elif len({changes(*case) for case in cases}) > 1:
            self.tally.leave_open("prompt-masked", changes(*cases[0]), place)
        elif cases and (kinds := changes(*cases[0])):
            self.tally.change(place, said(cases[0][0]), said(cases[0][1]), kinds)
        self._seen(under.pair, place, "model", record)

    def _seen(self, pair: _Pair, place: Place, side: str, record: Record, only: str | None = None) -> None:
        """What one side sees otherwise of what was found in its text; of all changes `only` one, if it is named."""
        masks = (pair.old.mask, pair.new.mask) if side == "caller" else (pair.old.prompt, pair.new.prompt)
        if pair.known and masks[0] == masks[1]:
            return
        name = recorded.text(record, "mask")
        shown = recorded.kinds(record, "revealed") if "revealed" in record else None
        for entity, number in recorded.found(record).items():
            kind = shift(*masks, entity) if pair.known else _by_record(entity, shown, masks[1], name)
            if only is not None and kind != only:
                continue
            if kind == "mask-unknown":
                self.tally.leave_open(kind, (), place)
            elif kind is not None:
                ways = _way(masks[0], entity) if pair.known else None, _way(masks[1], entity)
                self.tally.mask(place, pair.new, side, entity, ways, kind, number)


def _masked(
    decided: Verdict, past: tuple[Judge | None, Question | None], world: World, heard: Heard, after: Verdict
) -> _Pair:
    """What was recorded, with the masks that the policy of the time gave it."""
    judge, question = past
    if decided.verb != "permit":
        return _Pair(decided, after, known=True)
    if judge is not None and question is not None and question.open is None:
        before = made(judge, question, world, heard)
        if (before.verb, before.rule) == (decided.verb, decided.rule):
            return _Pair(before, after, known=True, by=judge.policy)
    return _Pair(decided, after, known=False)


def _by_record(entity: str, shown: frozenset[str] | None, new: Mask | None, name: str | None) -> str | None:
    """What changes for a kind of identifier, by whether any was shown as it was; None says nobody wrote that down.

    `name` is that of the mask at the time, where there is one on record.
    """
    if shown is None:
        return "mask-unknown"
    if new is None or not hides(new, entity):
        return None if entity in shown else "newly-shown"
    if entity in shown:
        return "mask-unknown" if new.of(entity).name in MAY_GIVE_BACK else "newly-hidden"
    return None if name in {None, new.name} else "masked-otherwise"


def _way(mask: Mask | None, entity: str) -> str:
    return (mask.of(entity) if mask is not None else Transform("keep")).name
