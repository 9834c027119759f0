"""What must hold between the parts of a policy: every name leads somewhere, every verb has what it needs.

The checks read the file's plain values, not the validated ones, so that their faults come together with those of the
values: one look shows an operator everything. What has the wrong shape is passed over here; the schema says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from phigate.policy.sentences import meant, quoted
from phigate.policy.sign_in import people_sign_in_where_bearers_are_believed
from phigate.policy.targets import untagged
from phigate.policy.tree import Path
from phigate.policy.words import (
    CONTENT_ACTIONS,
    TRANSFORM_ENTITY,
    VERBS,
)

type Found = Iterator[tuple[Path, str]]
type Check = Callable[[dict[str, Any]], Found]

BUILT_IN_MASK = "reveal"

_PERMITTING = ("permit", "hold", "break_glass")

# key of a rule -> the verbs it means something for
KEY_VERBS = {
    "purpose": _PERMITTING,
    "mask": _PERMITTING,
    "prompt": _PERMITTING,
    "opaque": _PERMITTING,
    "restore": _PERMITTING,
    "steering": _PERMITTING,
    "message": ("deny", "hold"),
    "approvers": ("hold",),
    "approvals": ("hold",),
    "grant": ("hold",),
    "wait": ("hold",),
    "justification": ("hold",),
    "review_by": ("break_glass",),
    "review_within": ("break_glass",),
}

# verb -> the keys it cannot be without
VERB_NEEDS = {
    "permit": ("models",),
    "hold": ("models", "approvers"),
    "deny": (),
    "break_glass": ("models", "review_by"),
}

# where a rule names things -> (kind, section that defines them)
_ROLE_LISTS = (*VERBS, "approvers", "review_by")


def faults(policy: dict[str, Any]) -> Found:
    for check in CHECKS:
        yield from check(policy)


def one_verb_each(policy: dict[str, Any]) -> Found:
    for path, rule in _rules(policy):
        verbs = [verb for verb in VERBS if verb in rule]
        if not verbs:
            yield path, "needs a verb: " + ", ".join(map(quoted, VERBS[:-1])) + f" or {quoted(VERBS[-1])}"
        elif len(verbs) > 1:
            yield path, f"has both {quoted(verbs[0])} and {quoted(verbs[1])}: a rule has one verb"


def restoring_needs_a_masked_prompt(policy: dict[str, Any]) -> Found:
    for path, rule in _rules(policy):
        if "restore" in rule and "prompt" not in rule:
            yield (*path, "restore"), "means nothing without `prompt`: only what was replaced there is put back"


def keys_fit_the_verb(policy: dict[str, Any]) -> Found:
    for path, rule, verb in _verbs(policy):
        for key in VERB_NEEDS[verb]:
            if key not in rule:
                yield path, f"needs {quoted(key)}: a {quoted(verb)} names its {_NEEDED[key]}"
        for key, verbs in KEY_VERBS.items():
            if key in rule and verb not in verbs:
                yield (*path, key), f"{quoted(key)} means nothing in a {quoted(verb)}"


_NEEDED = {
    "models": 'models, or `["*"]` for all',
    "approvers": "approvers",
    "review_by": "reviewers",
}


def content_is_masked(policy: dict[str, Any]) -> Found:
    for path, rule, verb in _verbs(policy):
        shown = sorted(word for _, word in _words(rule, "to") if word in CONTENT_ACTIONS)
        if shown and verb != "deny" and "mask" not in rule:
            yield path, f"needs `mask`: a {quoted(verb)} of {quoted(shown[0])} says how the answer is masked"


def every_action_only_in_a_deny(policy: dict[str, Any]) -> Found:
    for path, rule, verb in _verbs(policy):
        for place, word in _words(rule, "to"):
            if word == "*" and verb != "deny":
                yield (*path, *place), "`*` for every action is for a `deny` only"


def star_stands_alone(policy: dict[str, Any]) -> Found:
    for path, rule in (*_rules(policy), *_items(policy, "fields")):
        for key in (*VERBS, "models", "to"):
            words = [word for _, word in _words(rule, key)]
            if "*" in words and len(words) > 1:
                yield (*path, key), "`*` stands alone: it already means all"


def roles_exist(policy: dict[str, Any]) -> Found:
    roles = _names(policy, "roles")
    for path, rule in _rules(policy):
        for key in _ROLE_LISTS:
            for place, word in _words(rule, key):
                if word == "*" and key in VERBS:
                    continue
                if word not in roles:
                    yield (*path, *place), f"unknown role {quoted(word)}{meant(word, roles)}"


def masks_exist(policy: dict[str, Any]) -> Found:
    masks = _names(policy, "masks") | {BUILT_IN_MASK}
    for path, rule in _rules(policy):
        for key in ("mask", "prompt"):
            word = rule.get(key)
            if isinstance(word, str) and word and word not in masks:
                yield (*path, key), f"unknown mask {quoted(word)}{meant(word, masks)}"


def models_exist(policy: dict[str, Any]) -> Found:
    """Without a `models` section rules name models as the server does, and there is nothing to compare with."""
    if "models" not in policy:
        return
    models = _names(policy, "models")
    for path, rule in (*_rules(policy), *_items(policy, "fields")):
        for place, word in _words(rule, "models"):
            if word != "*" and word not in models:
                yield (*path, *place), f"unknown model {quoted(word)}{meant(word, models)}"


_UNIQUE = (
    *(("rules", "name"), ("routes", "name"), ("routes", "match")),
    *(("issuers", "issuer"), ("saml", "entity_id")),
)


def names_are_unique(policy: dict[str, Any]) -> Found:
    for section, key in _UNIQUE:
        seen: set[str] = set()
        for place, item in _items(policy, section):
            name = item.get(key)
            if isinstance(name, str) and name and name in seen:
                yield (*place, key), f"{quoted(name)} stands twice"
            elif isinstance(name, str):
                seen.add(name)


def one_issuer_is_asked(policy: dict[str, Any]) -> Found:
    """An opaque bearer does not say whose it is: sent to the wrong issuer, it would be given away."""
    asked = [place for place, issuer in _items(policy, "issuers") if "introspect" in issuer]
    for place in asked[1:]:
        yield (*place, "introspect"), "only one issuer may be asked about bearers that are no JWT"


def model_names_are_unique(policy: dict[str, Any]) -> Found:
    owners: dict[str, str] = {}
    entries: dict[str, str] = {}
    for model, entry in _mapping(policy.get("models")).items():
        other = entries.setdefault(untagged(model), model)
        if other != model:
            yield ("models", model), f"{quoted(model)} and {quoted(other)} are one name"
        for place, name in list(_words(_mapping(entry), "names")) or [((), model)]:
            owner = owners.setdefault(untagged(name), model)
            if owner != model:
                yield ("models", model, *place), f"{quoted(name)} belongs to {quoted(owner)} already"


def grants_end(policy: dict[str, Any]) -> Found:
    for path, rule in _rules(policy):
        grant = rule.get("grant")
        if isinstance(grant, dict) and not grant.keys() & {"for", "uses"}:
            yield (*path, "grant"), "needs `for` or `uses`: a grant ends"


def reveal_is_built_in(policy: dict[str, Any]) -> Found:
    if BUILT_IN_MASK in _names(policy, "masks"):
        yield ("masks", BUILT_IN_MASK), f"{quoted(BUILT_IN_MASK)} is built in and cannot be defined"


def transforms_fit_the_entity(policy: dict[str, Any]) -> Found:
    masks = {("masks", name): mask for name, mask in _mapping(policy.get("masks")).items()}
    masks["capture", "mask"] = _mapping(policy.get("capture")).get("mask")
    for path, mask in masks.items():
        for entity, transform in _mapping(mask).items():
            home = TRANSFORM_ENTITY.get(transform, entity) if isinstance(transform, str) else entity
            if home != entity:
                yield (*path, entity), f"{quoted(transform)} is for {quoted(home)} only"


def field_rules_say_something(policy: dict[str, Any]) -> Found:
    for path, rule in _items(policy, "fields"):
        if not rule.keys() & {"hide", "keep", "scan"}:
            yield path, "needs `hide`, `keep` or `scan`"
        seen: dict[str, str] = {}
        for key in ("hide", "keep", "scan"):
            words = rule.get(key)
            places = _words(rule, key) if key != "hide" else (((key, word), word) for word in _mapping(words))
            for place, word in places:
                if seen.setdefault(word, key) != key:
                    yield (*path, *place), f"{quoted(word)} stands in `{seen[word]}` as well"


def routes_make_sense(policy: dict[str, Any]) -> Found:
    for path, route in _items(policy, "routes"):
        answers = route.get("answers")
        forms = [word for _, word in _words(route, "answers")] if isinstance(answers, list) else [answers]
        streams = [form for form in forms if form in {"ndjson", "sse", "text"}]
        model, match = route.get("model"), route.get("match")
        if len(streams) > 1:
            yield (*path, "answers"), f"{quoted(streams[0])} and {quoted(streams[1])}: a route streams in one form"
        if "streams" in route and not set(streams) & {"ndjson", "sse"}:
            yield (*path, "streams"), "means nothing where no lines or events are answered"
        if not isinstance(model, str) or not isinstance(match, str):
            continue
        if "{model}" in match:
            yield (*path, "model"), "the path names the model already"
        elif model.startswith("$."):
            if match.startswith("GET "):
                yield (*path, "model"), "a `GET` has no members"
        elif "models" in policy and model not in (models := _names(policy, "models")):
            yield (*path, "model"), f"unknown model {quoted(model)}{meant(model, models)}"


def records_show_nothing(policy: dict[str, Any]) -> Found:
    mask = _mapping(policy.get("capture")).get("mask")
    for entity, transform in _mapping(mask).items():
        if transform == "keep":
            yield ("capture", "mask", entity), "`keep` is not allowed here: what is kept is always masked"
    if _mapping(mask).get("undecodable") == "permit":
        yield ("capture", "mask", "undecodable"), "`permit` is not allowed here: what is kept is always masked"


def originals_are_sealed_to_somebody(policy: dict[str, Any]) -> Found:
    capture = _mapping(policy.get("capture"))
    if capture.get("bodies") == "sealed" and "seal_to" not in capture:
        yield ("capture", "bodies"), "`sealed` needs `seal_to`, the auditor's public key (`phigate seal-key` makes one)"
    if "seal_to" in capture and capture.get("bodies") != "sealed":
        yield ("capture", "seal_to"), "means nothing without `bodies: sealed`"


CHECKS: tuple[Check, ...] = (
    one_verb_each,
    keys_fit_the_verb,
    restoring_needs_a_masked_prompt,
    content_is_masked,
    every_action_only_in_a_deny,
    star_stands_alone,
    roles_exist,
    masks_exist,
    models_exist,
    names_are_unique,
    one_issuer_is_asked,
    people_sign_in_where_bearers_are_believed,
    model_names_are_unique,
    grants_end,
    reveal_is_built_in,
    transforms_fit_the_entity,
    field_rules_say_something,
    routes_make_sense,
    records_show_nothing,
    originals_are_sealed_to_somebody,
)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(policy: dict[str, Any], section: str) -> set[str]:
    return set(_mapping(policy.get(section)))


def _items(policy: dict[str, Any], section: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    items = policy.get(section)
    for place, item in enumerate(items if isinstance(items, list | tuple) else ()):
        if isinstance(item, dict):
            yield (section, place), item


def _rules(policy: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    return _items(policy, "rules")


def _verbs(policy: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Rules with exactly one verb."""
    for path, rule in _rules(policy):
        verbs = [verb for verb in VERBS if verb in rule]
        if len(verbs) == 1:
            yield path, rule, verbs[0]


def _words(mapping: dict[str, Any], key: str) -> Iterator[tuple[Path, str]]:
    words = mapping.get(key)
    for place, word in enumerate(words if isinstance(words, list | tuple) else ()):
        if isinstance(word, str) and word:
            yield (key, place), word
