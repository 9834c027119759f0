"""The report's figures about identifiers: which were shown to whom, under which rule and policy.

They are counted by their keyed forms: what they are stands nowhere. When the keys change, the same identifier has
another form and counts once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from phigate.audit.report_parts import Change, Disclosures, Masks
from phigate.audit.report_sql import IN_PERIOD, PEOPLE, PERSON, RAN, TOP, names, row
from phigate.policy.words import OTHER

if TYPE_CHECKING:
    from phigate.audit.report_sql import Asking
    from phigate.policy.masks import Mask
    from phigate.policy.schema import Policy

_JOINED = "FROM exchange JOIN identifier ON exchange_id = exchange.id"
_SHOWN = f"{_JOINED} AND side = 'out' AND revealed = 1 WHERE {IN_PERIOD}"
_TO_MODEL = f"{_JOINED} AND side = 'in' AND revealed = 1 WHERE {IN_PERIOD}"
_ENTITY = "substr(value, 1, instr(value, ':') - 1)"
_ANSWERS, _DISTINCT = "COUNT(DISTINCT exchange_id)", "COUNT(DISTINCT value)"


def disclosures(asking: Asking) -> Disclosures:
    purpose = "coalesce(purpose, '(none)')"
    ((answers, distinct),) = asking.rows(f"SELECT {_ANSWERS}, {_DISTINCT} {_SHOWN}")
    return Disclosures(
        answers=answers,
        distinct=distinct,
        purposes=asking.top(
            f"SELECT {purpose}, {_ANSWERS}, {PEOPLE}, {_DISTINCT} {_SHOWN} GROUP BY 1 ORDER BY 2 DESC, 1", row
        ).rows,
        kinds=asking.top(f"SELECT {_ENTITY}, {_ANSWERS}, {_DISTINCT} {_SHOWN} GROUP BY 1 ORDER BY 2 DESC, 1", row).rows,
        recipients=asking.top(
            f"SELECT {PERSON}, {purpose}, {_ANSWERS}, {_DISTINCT} {_SHOWN}"
            " GROUP BY 1, 2, 3 ORDER BY 5 DESC, 4 DESC, 1, 2, 3",
            row,
        ),
        models=asking.top(
            f"SELECT coalesce(model, '-'), {_ANSWERS}, {_DISTINCT} {_TO_MODEL} GROUP BY 1 ORDER BY 3 DESC, 1", row
        ),
        untold=asking.count(f"(SELECT DISTINCT exchange_id {_JOINED} AND revealed IS NULL WHERE {IN_PERIOD})"),
    )


def masks(asking: Asking, policy: Policy | None = None) -> Masks:
    return Masks(
        profiled=policy.sha256 if policy else "",
        profiles=[(name, _profile(mask)) for name, mask in sorted(policy.masks.items())] if policy else (),
        rules=asking.top(
            f"SELECT coalesce(rule, '-'), coalesce(mask, '-'), COUNT(*), {PEOPLE}, group_concat(DISTINCT roles)"  # noqa: S608 -- our own words
            f" FROM exchange WHERE {IN_PERIOD} AND {RAN} AND outcome IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            lambda rule, mask, count, people, roles: (rule, mask, _roles(roles), count, people),
        ),
        entities=asking.top(
            f"SELECT coalesce(rule, '-'), {_ENTITY}, {_ANSWERS},"
            f" COUNT(DISTINCT CASE WHEN revealed = 1 THEN exchange_id END) {_JOINED} AND side = 'out'"
            f" WHERE {IN_PERIOD} GROUP BY 1, 2 ORDER BY 1, 2",
            row,
            4 * TOP,
        ),
        policies=asking.top(
            f"SELECT policy, MIN(at), MAX(at), COUNT(*) FROM exchange WHERE {IN_PERIOD} AND policy IS NOT NULL"  # noqa: S608 -- our own words
            " GROUP BY 1 ORDER BY 2",
            lambda policy, first, last, count: (policy, asking.time(first), asking.time(last), count),
        ),
        changes=asking.top(
            "SELECT at, json_extract(fields, '$.policy'), json_extract(fields, '$.was'),"  # noqa: S608 -- our own words
            f" json_extract(fields, '$.accepted') FROM event WHERE kind = 'policy' AND {IN_PERIOD} ORDER BY at DESC",
            lambda at, policy, was, accepted: Change(
                asking.time(at), str(policy or "-"), str(was or "-"), accepted=bool(accepted)
            ),
        ),
    )


def _profile(mask: Mask) -> str:
    """The rest (OTHER) last."""
    named = sorted((entity == OTHER, entity, transform.name) for entity, transform in mask.transforms.items())
    return ", ".join(f"{entity}: {transform}" for _, entity, transform in named)


def _roles(lists: str) -> str:
    """Out of lists of names that were put one behind another."""
    try:
        found = orjson.loads(f"[{lists}]")
    except ValueError:
        return "-"
    return ", ".join(sorted({role for each in found for role in names(orjson.dumps(each).decode())})) or "-"
