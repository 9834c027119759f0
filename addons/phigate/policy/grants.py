"""What a yes gave: a right that is timed or counted, for one subject, rule, set of actions and model. Pure.

A grant speaks of the rule as it was when the yes was asked for (`rule_hash`): an edited rule asks again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant; times are seconds since the epoch, and `digest` is that of the one request it is for (None: any)."""

    id: str
    ticket: str
    rule: str
    subject: tuple[str, str]
    """Issuer and id: the same word of two issuers is two people."""
    actions: frozenset[str]
    model: str | None
    digest: str | None
    starts: float
    expires: float
    uses: int | None = None
    """How many are left; None counts none."""
    rule_hash: str | None = None
    """Of `policy.hashes`; without it nobody knows what was said yes to, and it covers nothing."""

    def covers(  # noqa: PLR0917 -- in the order of the words of `decide`
        self,
        rule: str,
        rule_hash: str | None,
        subject: tuple[str, str],
        actions: frozenset[str],
        model: str | None,
        digest: str | None,
        now: float,
    ) -> bool:
        """Whether it is for this request, and live at this moment; `actions` are those of the whole exchange."""
        return (
            (self.rule, self.subject, self.actions, self.model) == (rule, subject, actions, model)
            and self.rule_hash is not None
            and self.rule_hash == rule_hash
            and self.starts <= now < self.expires
            and (self.uses is None or self.uses > 0)
            and (self.digest is None or self.digest == digest)
        )
