"""What a yes was said to: a rule's content, as one SHA-256. Pure.

- Everything counts that decides who may what, who says yes, what that gives and how it is masked: of a mask what it
  does, not its name; of a model that the rule names where it stands. What only people read does not.
- The order of a list says nothing, and what stands there as the default says is as if it were left out: a later version
  of this language, with keys of which this policy says nothing, has the same hash.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from phigate.policy.fields import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.policy.masks import Mask
    from phigate.policy.schema import Policy, Rule

_SAYS_NOTHING: Final = frozenset({"message", "purpose", "wait"})
_MASKS: Final = ("mask", "prompt")
_MICROSECOND: Final = timedelta(microseconds=1)


def rule_hash(policy: Policy, rule: str) -> str | None:
    """Hex SHA-256 of one rule of a policy, by its name; None where it has none of that name."""
    return _hashes(policy).get(rule)


@lru_cache(maxsize=4)
def _hashes(policy: Policy) -> Mapping[str, str]:
    """Of those rules that somebody may say yes to."""
    return {rule.name: _hash(policy, rule) for rule in policy.rules if rule.hold}


def _hash(policy: Policy, rule: Rule) -> str:
    told = {name: item for name, item in _section(rule).items() if name not in _SAYS_NOTHING}
    told |= {name: _mask(policy.mask(told[name])) for name in _MASKS if name in told}
    entries = policy.models or {}
    named = {name: entries[name] for name in rule.models if name in entries}
    told["at"] = {name: [entry.url, entry.grpc] for name, entry in named.items()}
    return hashlib.sha256(_text(told).encode()).hexdigest()


def _section(section: Section) -> dict[str, Any]:
    """A section's keys as they are written, without those that say what they say anyway."""
    fields = type(section).model_fields
    stated = {name: getattr(section, name) for name in fields}
    return {
        fields[name].alias or name: _plain(value)
        for name, value in stated.items()
        if fields[name].is_required() or value != fields[name].get_default(call_default_factory=True)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return _section(value)
    if isinstance(value, tuple):
        return sorted(map(_plain, value), key=_text)
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(type(value).__name__)


def _mask(mask: Mask) -> dict[str, Any]:
    ways = {entity: [transform.name, transform.keep] for entity, transform in mask.transforms.items()}
    return {"ways": ways, "scope": mask.scope, "bias": mask.bias, "undecodable": mask.undecodable}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
