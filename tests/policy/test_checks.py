"""The checks alone, on values of every shape: they pass over what is not theirs to judge and never raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.policy import checks
from phigate.policy.words import VERBS

KEYS = [
    "rules",
    "fields",
    "hide",
    "keep",
    "scan",
    "roles",
    "masks",
    "models",
    "capture",
    "mask",
    "name",
    "to",
    "grant",
    "names",
    "when",
    *VERBS,
    "approvers",
]
ANYTHING: Any = st.recursive(
    st.sampled_from(["*", "chat", "reveal", "keep", "OTHER", "sealed", "", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING))
def test_no_shape_of_values_is_an_exception(values: dict[str, Any]) -> None:
    assert all(isinstance(path, tuple) and text for path, text in checks.faults(values))


RULE = {"name": "care", "permit": ["clinician"], "to": ["chat"], "models": ["*"], "mask": "lean"}
GOOD = {"rules": [RULE], "roles": {"clinician": ["ward"]}, "masks": {"lean": {"OTHER": "redact"}}}

# what each check alone objects to
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "one_verb_each": (GOOD | {"rules": [{"name": "x"}]}, "needs a verb"),
    "keys_fit_the_verb": (GOOD | {"rules": [RULE | {"wait": "PT1M"}]}, "means nothing"),
    "restoring_needs_a_masked_prompt": (GOOD | {"rules": [RULE | {"restore": "true"}]}, "without `prompt`"),
    "content_is_masked": (GOOD | {"rules": [{k: v for k, v in RULE.items() if k != "mask"}]}, "needs `mask`"),
    "every_action_only_in_a_deny": (GOOD | {"rules": [RULE | {"to": ["*"]}]}, "`deny` only"),
    "star_stands_alone": (GOOD | {"rules": [RULE | {"models": ["*", "m"]}]}, "stands alone"),
    "roles_exist": (GOOD | {"rules": [RULE | {"permit": ["nurse"]}]}, "unknown role"),
    "masks_exist": (GOOD | {"rules": [RULE | {"prompt": "none"}]}, "unknown mask"),
    "models_exist": (GOOD | {"models": {"m": {}}, "rules": [RULE | {"models": ["n"]}]}, "unknown model"),
    "people_sign_in_where_bearers_are_believed": (
        GOOD | {"issuers": [{"issuer": "https://a.example"}], "sign_in": {"issuer": "https://b.example"}},
        "is none of `issuers`",
    ),
    "names_are_unique": (GOOD | {"rules": [RULE, RULE]}, "stands twice"),
    "one_issuer_is_asked": (GOOD | {"issuers": [{"introspect": {}}, {}, {"introspect": {}}]}, "only one issuer"),
    "model_names_are_unique": (GOOD | {"models": {"m": {"names": ["a"]}, "n": {"names": ["a"]}}}, "belongs to"),
    "grants_end": (GOOD | {"rules": [RULE | {"grant": {}}]}, "a grant ends"),
    "reveal_is_built_in": (GOOD | {"masks": {"reveal": {}}}, "built in"),
    "transforms_fit_the_entity": (GOOD | {"masks": {"m": {"MRN": "zip3"}}}, "`ZIP` only"),
    "field_rules_say_something": (GOOD | {"fields": [{"keep": ["$.a"], "hide": {"$.a": "MRN"}}]}, "stands in `hide`"),
    "routes_make_sense": (GOOD | {"routes": [{"answers": ["sse", "text"]}]}, "a route streams in one form"),
    "records_show_nothing": (GOOD | {"capture": {"mask": {"OTHER": "keep"}}}, "`keep` is not allowed"),
    "originals_are_sealed_to_somebody": (GOOD | {"capture": {"bodies": "sealed"}}, "needs `seal_to`"),
}


def test_a_good_policy_passes_every_check() -> None:
    assert list(checks.faults(GOOD)) == []


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_each_check_finds_its_fault(check: checks.Check) -> None:
    values, said = WRONG[check.__name__]
    assert [said in text for _, text in check(values)] == [True]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"match": "POST /a", "answers": "sse", "streams": "pieces", "model": "m"}, None),
        ({"match": "POST /a", "answers": "json", "streams": "pieces"}, "means nothing"),
        ({"match": "POST /a", "streams": "pieces"}, "means nothing"),
        ({"match": "POST /a/{model}", "model": "m"}, "names the model already"),
        ({"match": "GET /a", "model": "$.m"}, "has no members"),
        ({"match": "POST /a", "model": "n"}, "unknown model `n`"),
    ],
)
def test_what_a_route_may_say(route, expected) -> None:
    found = [text for _, text in checks.routes_make_sense(GOOD | {"models": {"m": {}}, "routes": [route]})]
    assert len(found) == bool(expected)
    assert all(expected in text for text in found)


def test_what_is_kept_hides_what_cannot_be_read() -> None:
    found = list(checks.records_show_nothing({"capture": {"mask": {"OTHER": "redact", "undecodable": "permit"}}}))
    assert found == [
        (("capture", "mask", "undecodable"), "`permit` is not allowed here: what is kept is always masked"),
    ]


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"m": {"names": ["a"]}, "n": {"names": ["a:latest"]}}, "`a:latest` belongs to `m` already"),
        ({"m": {}, "n": {"names": ["m"]}}, "`m` belongs to `m` already"),
        ({"m": {"names": ["a"]}, "m:latest": {"names": ["b"]}}, "`m:latest` and `m` are one name"),
    ],
)
def test_two_spellings_of_a_model_s_name_are_one(models: dict[str, object], said: str) -> None:
    assert [text for _, text in checks.model_names_are_unique({"models": models})] == [said]
