from __future__ import annotations

from pathlib import Path

import pytest

from phigate.policy.load import parse_policy
from phigate.policy.reference import rows, table
from phigate.policy.schema import KEYS, Policy
from phigate.policy.words import VERBS

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"


def test_the_page_holds_the_current_table() -> None:
    assert table() in PAGE.read_text(), (
        "run `python -m phigate.policy.reference` and paste its output into docs/policy.md"
    )


def test_every_key_of_the_schema_has_a_row() -> None:
    listed = {row[0].strip("`").rpartition(".")[2] for row in rows(Policy, "")}
    assert listed == KEYS


def test_every_row_has_a_type_and_a_meaning() -> None:
    assert [row[0] for row in rows(Policy, "") if not (row[1] and row[3])] == []


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("issuers[].issuer", "https URL (http on loopback)", "required"),
        ("issuers[].leeway", "duration up to `PT5M`", "`PT60S`"),
        ("models", "name: mapping", ""),
        ("models.NAME.url", "`http(s)://HOST:PORT`", ""),
        ("rules[].permit", "list: role or `*`", ""),
        ("rules[].grant.for", "duration, e.g. `PT30M`", ""),
        ("rules[].approvals", "whole number", "`1`"),
        ("capture.mask", "entity: transform, with `OTHER`", "`{OTHER: redact}`"),
        ("capture.retain", "duration, e.g. `P6Y`", "`P6Y`"),
    ],
)
def test_rows_say_what_the_schema_says(key: str, kind: str, default: str) -> None:
    (row,) = [row for row in rows(Policy, "") if row[0] == f"`{key}`"]
    assert row[1:3] == (kind, default)


def test_every_verb_is_explained_on_the_page() -> None:
    assert all(f"`{verb}`" in PAGE.read_text() for verb in VERBS)


def test_the_examples_on_the_page_are_good_policies() -> None:
    examples = [part.partition("```")[0] for part in PAGE.read_text().split("```yaml\n")[1:]]
    whole = [example for example in examples if example.startswith("version: 1")]
    assert whole
    for example in whole:
        parse_policy(example.encode(), "docs/policy.md", PAGE.parent)
