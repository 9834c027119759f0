"""What a bearer of the gateway's own may be used for, as the `scope` of OAuth writes it (RFC 6749, 3.3).

Each word is `model:NAME` (the policy's name of a model) or `action:NAME`; the words of one kind add up, and a kind that
no word speaks of is not limited. A word that is not understood limits nothing by itself, so its whole scope is none.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.exchange import Scope
from phigate.policy.words import ACTIONS, MODEL_FREE_ACTIONS

MAX_SCOPE: Final = 4096
"""Characters."""
_WORD: Final = re.compile(r"(model|action):([\x21\x23-\x5b\x5d-\x7e]{1,128})", re.ASCII)


def read(text: str) -> Scope | None:
    """Read words that are separated by one blank each; None where there is none, or any is not understood."""
    if not 0 < len(text) <= MAX_SCOPE:
        return None
    found: dict[str, set[str]] = {"model": set(), "action": set()}
    for word in text.split(" "):
        match = _WORD.fullmatch(word)
        if match is None:
            return None
        found[match[1]].add(match[2])
    if not found["action"] <= ACTIONS:
        return None
    return Scope(frozenset(found["model"]), frozenset(found["action"]))


def written(scope: Scope) -> str:
    """Write a scope in its one spelling, sorted; one that limits nothing is the empty text."""
    actions = [f"action:{action}" for action in sorted(scope.actions)]
    return " ".join([*actions, *(f"model:{model}" for model in sorted(scope.models))])


def within(narrow: Scope, wide: Scope) -> bool:
    """Whether whatever `narrow` allows is allowed by `wide` too."""
    if wide.models and not wide.actions and narrow.actions & MODEL_FREE_ACTIONS:  # see `allows`
        return False
    return _inside(narrow.models, wide.models) and _inside(narrow.actions, wide.actions)


def _inside(narrow: frozenset[str], wide: frozenset[str]) -> bool:
    return not wide or (bool(narrow) and narrow <= wide)


def allows(scope: Scope, actions: frozenset[str], model: str | None) -> bool:
    """Whether a scope lets all of these actions happen to this model of the policy (None: to no certain one).

    What has no model, such as `revoke`, is beyond a scope that names models, unless it names the action as well.
    """
    if not actions or (scope.actions and not actions <= scope.actions):
        return False
    if not scope.models or model in scope.models:
        return True
    return model is None and actions <= scope.actions & MODEL_FREE_ACTIONS
