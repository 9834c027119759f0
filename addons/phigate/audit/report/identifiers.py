"""The report's figures about identifiers: which were shown to whom, under which rule and policy.

They are counted by their keyed forms: what they are stands nowhere. When the keys change, the same identifier has
another form and counts once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.audit.report.parts import Change, Disclosures, Listing, Masks
from phigate.audit.report.sql import IN_PERIOD, TOP, names, row
from phigate.audit.report.walk import ranked
from phigate.policy.words import OTHER

if TYPE_CHECKING:
    from datetime import datetime

    from phigate.audit.report.sql import Asking
    from phigate.audit.report.walk import Walk
    from phigate.policy.masks import Mask
    from phigate.policy.schema import Policy

_OUT = f"FROM shown WHERE side = 'out' AND {IN_PERIOD}"
_IN = f"FROM shown WHERE side = 'in' AND {IN_PERIOD}"
_ENTITY = "substr(value, 1, instr(value, ':') - 1)"
_ANSWERS, _DISTINCT = "COUNT(DISTINCT exchange_id)", "COUNT(DISTINCT value)"
_PEOPLE = "COUNT(DISTINCT issuer || char(0) || subject)"
_PURPOSE = "coalesce(purpose, '(none)')"
_UNTOLD = "identifier WHERE revealed IS NULL"


def disclosures(asking: Asking) -> Disclosures:
    ((answers, distinct),) = asking.rows(f"SELECT {_ANSWERS}, {_DISTINCT} {_OUT}")
    return Disclosures(
        answers=answers,
        distinct=distinct,
        purposes=asking.top(
            f"SELECT {_PURPOSE}, {_ANSWERS}, {_PEOPLE}, {_DISTINCT} {_OUT} GROUP BY 1 ORDER BY 2 DESC, 1", row
        ).rows,
        kinds=asking.top(f"SELECT {_ENTITY}, {_ANSWERS}, {_DISTINCT} {_OUT} GROUP BY 1 ORDER BY 2 DESC, 1", row).rows,
        recipients=asking.top(
            f"SELECT issuer, subject, {_PURPOSE}, {_ANSWERS}, {_DISTINCT} {_OUT}"
            " GROUP BY 1, 2, 3 ORDER BY 5 DESC, 4 DESC, 1, 2, 3",
            row,
        ),
        models=asking.top(
            f"SELECT coalesce(model, '-'), {_ANSWERS}, {_DISTINCT} {_IN} GROUP BY 1 ORDER BY 3 DESC, 1", row
        ),
        untold=_untold(asking),
    )


def _untold(asking: Asking) -> int:
    if asking.one(f"SELECT 1 FROM {_UNTOLD} LIMIT 1") is None:  # noqa: S608 -- our own words
        return 0
    told = "SELECT DISTINCT exchange_id FROM exchange JOIN identifier ON exchange_id = exchange.id"
    return asking.count(f"({told} AND revealed IS NULL WHERE {IN_PERIOD})")


def masks(asking: Asking, walk: Walk, policy: Policy | None = None) -> Masks:
    return Masks(
        profiled=policy.sha256 if policy else "",
        profiles=[(name, _profile(mask)) for name, mask in sorted(policy.masks.items())] if policy else (),
        rules=_rules(walk),
        entities=_entities(asking),
        policies=_policies(asking, walk),
        changes=asking.top(
            "SELECT at, json_extract(fields, '$.policy'), json_extract(fields, '$.was'),"  # noqa: S608 -- our own words
            f" json_extract(fields, '$.accepted') FROM event WHERE kind = 'policy' AND {IN_PERIOD} ORDER BY at DESC",
            lambda at, policy, was, accepted: Change(
                asking.time(at), str(policy or "-"), str(was or "-"), accepted=bool(accepted)
            ),
        ),
    )


def _rules(walk: Walk) -> Listing[tuple[str, str, str, int, int]]:
    roles: dict[tuple[str, str], set[str]] = {}
    answered = [group for group in walk.groups if group.ran and group.outcome]
    for group in answered:
        roles.setdefault((group.rule, group.mask), set()).update(names(group.roles))
    rows = ranked(((group.rule, group.mask), group) for group in answered)
    made = [(rule, mask, ", ".join(sorted(roles[rule, mask])) or "-", *counts) for rule, mask, *counts in rows]
    return Listing(made[:TOP], len(made))


def _entities(asking: Asking) -> Listing[tuple[str, str, int, int]]:
    """What detectors found in answers by rule, and in how many of these answers the caller saw it."""
    shown = {
        (rule, entity): count
        for rule, entity, count in asking.rows(
            f"SELECT coalesce(rule, '-'), {_ENTITY}, {_ANSWERS} {_OUT} GROUP BY 1, 2"
        )
    }
    return asking.top(
        "SELECT coalesce(rule, '-'), entity, COUNT(*) FROM exchange"  # noqa: S608 -- our own words
        " JOIN found ON exchange_id = exchange.id AND side = 'out' AND n > 0"
        f" WHERE {IN_PERIOD} GROUP BY 1, 2 ORDER BY 1, 2",
        lambda rule, entity, count: (rule, entity, count, shown.get((rule, entity), 0)),
        4 * TOP,
    )


def _policies(asking: Asking, walk: Walk) -> Listing[tuple[str, datetime, datetime, int]]:
    spans: dict[str, tuple[float, float, int]] = {}
    for group in walk.groups:
        if group.policy is not None:
            first, last, count = spans.get(group.policy, (group.first, group.last, 0))
            spans[group.policy] = (min(first, group.first), max(last, group.last), count + group.exchanges)
    rows = sorted(spans.items(), key=lambda each: each[1])
    made = [(policy, asking.time(first), asking.time(last), count) for policy, (first, last, count) in rows]
    return Listing(made[:TOP], len(made))


def _profile(mask: Mask) -> str:
    """The rest (OTHER) last."""
    named = sorted((entity == OTHER, entity, transform.name) for entity, transform in mask.transforms.items())
    return ", ".join(f"{entity}: {transform}" for _, entity, transform in named)
