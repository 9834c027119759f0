"""Originals masked anew under two policies, and which identifiers one of them shows and the other hides. Pure.

Both see with their own detectors, roster and `fields`. What stands in for a value is made with keys of this run alone:
nothing here is the gateway's, and what a prompt's stand-ins were cannot be put back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phigate.dialect.known import spoken
from phigate.masking import Memory, Sight, Transformer
from phigate.masking.answer import MaskedStream, failure, whole
from phigate.masking.structure.paths import rules_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.audit.backtest.recorded import Record, Request
    from phigate.dialect.routes import Route
    from phigate.masking import Secrets
    from phigate.policy.masks import Mask
    from phigate.policy.schema import Policy
    from phigate.policy.verdict import Verdict
    from phigate.sources import Sources

type Hidden = frozenset[str]
"""Identifiers (`ENTITY:HEX`) that were found and hidden."""


@dataclass(frozen=True, slots=True)
class Eyes:
    """What one policy sees with; `matches` are `METHOD PATH` by a route's name."""

    policy: Policy
    sources: Sources
    matches: Mapping[str, str]
    secrets: Secrets

    def sight(self, request: Request, mask: Mask | None, names: Memory | None) -> Sight:
        """What a mask makes of a prompt, or (with the `names` that it showed) of the answer to it."""
        side = "request" if names is None else "answer"
        paths = rules_for(self.policy.fields, request.model, self.matches.get(request.route or "", ""), side)
        caller = self._transformer(mask) if mask is not None else None
        shown = self._transformer(self.policy.capture.mask)
        return Sight(self.sources.detectors, self.secrets, caller, shown, names, paths)

    def _transformer(self, mask: Mask) -> Transformer:
        return Transformer(mask, self.secrets, "backtest", self.sources.roster)

    def prompt(self, request: Request, route: Route, tree: Any, verdict: Verdict) -> tuple[Hidden, Memory]:
        """What is hidden of a prompt from the model, and the names that it shows."""
        sight, dialect = self.sight(request, verdict.prompt, None), spoken(route)
        sight.study(tree, dialect.shown)
        sight.tree_for_bystanders(tree, dialect.shown)
        if verdict.prompt is not None:
            sight.tree_for_caller(tree, dialect.request)
        return _hidden(sight), sight.names

    def answer(  # noqa: PLR0917 -- what an answer is made of
        self, request: Request, route: Route, raw: bytes, verdict: Verdict, names: Memory, record: Record
    ) -> Hidden:
        """What is hidden of an answer from the caller; raises ValueError for one that cannot be read."""
        sight, dialect = self.sight(request, verdict.mask, names.copy()), spoken(route)
        if record.get("outcome") == "refused-by-upstream":
            failure(raw, 400, sight, dialect)
        elif record.get("streamed") and route.stream is not None:
            stream = MaskedStream(sight, dialect, route.stream, opaque=True)
            stream.feed(raw)
            stream.finish()
        else:
            codec = next(iter(route.answers.values()))
            whole(raw, sight, dialect, codec, {}, opaque=True)
        return _hidden(sight)


def _hidden(sight: Sight) -> Hidden:
    return frozenset(sight.identifiers - sight.revealed.keys())


def differences(old: Hidden, new: Hidden) -> Counter[tuple[str, str]]:
    """(word of policy.verdict.CHANGES, kind of identifier) and how many different ones."""
    found = [("newly-shown", each) for each in old - new] + [("newly-hidden", each) for each in new - old]
    return Counter((kind, each.partition(":")[0]) for kind, each in found)


@dataclass(frozen=True, slots=True)
class Remask:
    """Both sides' eyes."""

    old: Eyes
    new: Eyes

    def prompt(
        self, request: Request, route: Route, tree: Any, verdicts: tuple[Verdict, Verdict]
    ) -> tuple[Counter[tuple[str, str]], tuple[Memory, Memory]]:
        """What of a prompt the model sees otherwise; and the names that each side remembers."""
        (old, was), (new, now) = (
            eyes.prompt(request, route, tree, verdict)
            for eyes, verdict in zip((self.old, self.new), verdicts, strict=True)
        )
        return differences(old, new), (was, now)

    def answer(  # noqa: PLR0917 -- what an answer is made of
        self,
        request: Request,
        route: Route,
        raw: bytes,
        verdicts: tuple[Verdict, Verdict],
        names: tuple[Memory, Memory],
        record: Record,
    ) -> Counter[tuple[str, str]]:
        """What of an answer the caller sees otherwise; raises ValueError for one that cannot be read."""
        sides = zip((self.old, self.new), verdicts, names, strict=True)
        old, new = (eyes.answer(request, route, raw, verdict, known, record) for eyes, verdict, known in sides)
        return differences(old, new)
