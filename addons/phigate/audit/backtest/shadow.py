"""What a policy on trial said of live requests, summed up as a backtest's findings are. Pure: records in, counts out.

A request's record says what differed when it was decided, and which kinds of identifiers would be masked otherwise;
what was found in prompt and answer says whether any was.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from phigate.audit.backtest import recorded
from phigate.audit.backtest.tally import Place, Tally
from phigate.policy.verdict import CHANGES, Verdict, shifted

if TYPE_CHECKING:
    from phigate.audit.backtest.recorded import Record

LIVE = 65_536
"""Exchanges whose answer is still to come that are remembered."""
SIDES = {"prompt": "model", "answer": "caller"}


class Shadowed:
    """Sums up, record by record; `policies` are the hashes of the policies that were on trial."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.policies: set[str] = set()
        self._live: OrderedDict[str, tuple[Record, Place]] = OrderedDict()

    def add(self, record: Record) -> None:
        """Look at one record; requests that no policy on trial was asked about pass unseen."""
        kind = record["kind"]
        if kind == "request" and isinstance(record.get("shadow"), dict):
            self._asked(record, record["shadow"])
        elif kind == "response":
            shadow, place = self._live.pop(str(record.get("exchange")), (None, None))
            if shadow is not None and place is not None:
                self._seen("answer", shadow, place, record)

    def _asked(self, record: Record, shadow: Record) -> None:
        tally = self.tally
        tally.exchanges += 1
        place = Place(str(record.get("exchange")), recorded.roles(record), recorded.text(record, "model") or "-")
        if error := recorded.text(shadow, "error"):
            tally.broke[error] += 1
            return
        verb, policy = recorded.text(shadow, "verb"), recorded.text(shadow, "policy")
        if verb is None or policy is None:
            tally.unreadable["shadow"] += 1
            return
        self.policies.add(policy)
        differs = recorded.names(shadow, "differs")
        kinds = tuple(kind for kind in CHANGES if kind in differs and kind not in _MASKS)
        old = recorded.part(record, "decision")
        tally.compare(place, _verdict(old), _verdict(shadow), kinds)
        self._seen("prompt", shadow, place, record)
        if isinstance(shadow.get("answer"), dict):
            self._live[place.exchange] = shadow, place
            if len(self._live) > LIVE:
                self._live.popitem(last=False)

    def _seen(self, text: str, shadow: Record, place: Place, record: Record) -> None:
        listed = recorded.part(shadow, text)
        for entity, number in recorded.found(record).items():
            for kind in _MASKS:
                if shifted(recorded.names(listed, kind), entity):
                    self.tally.mask(place, _verdict(shadow), SIDES[text], entity, ("?", "?"), kind, number)


_MASKS = ("newly-shown", "newly-hidden", "masked-otherwise")


def _verdict(told: Record) -> Verdict:
    verb, rule, reason = (recorded.text(told, name) for name in ("verb", "rule", "reason"))
    return Verdict("permit" if verb == "break_glass" else verb or "?", rule, reason)
