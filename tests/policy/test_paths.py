"""The path language of `fields`: what can be read, and what an operator is told about the rest."""

from __future__ import annotations

import pytest

from phigate.policy.paths import LONGEST, BadPathError, Step, steps


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a", [Step("a")]),
        ("$.a.b-c_1", [Step("a"), Step("b-c_1")]),
        ("$['a b']", [Step("a b")]),
        ('$["a.b"][0]', [Step("a.b"), Step(0)]),
        ("$.a[*]", [Step("a"), Step(None)]),
        ("$.a.*", [Step("a"), Step(None)]),
        ("$..a", [Step("a", deep=True)]),
        ("$..*", [Step(None, deep=True)]),
        ("$.a..b[12]", [Step("a"), Step("b", deep=True), Step(12)]),
        ("$.größe", [Step("größe")]),
    ],
)
def test_a_path_has_steps(path, expected):
    assert list(steps(path)) == expected


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "begins with `$`"),
        ("a.b", "begins with `$`"),
        ("$", "names nothing below `$`"),
        ("$.", "cannot be read from its character 2 on"),
        ("$.a b", "cannot be read from its character 4 on"),
        ("$.a[", "cannot be read from its character 4 on"),
        ("$.a[01]", "cannot be read from its character 4 on"),
        ("$.a[-1]", "cannot be read from its character 4 on"),
        ("$.a[?(@.b)]", "cannot be read from its character 4 on"),
        ("$.a[1:2]", "cannot be read from its character 4 on"),
        ("$['a','b']", "cannot be read from its character 2 on"),
        ("$...a", "cannot be read from its character 2 on"),
        ("$.a\n", "cannot be read from its character 4 on"),
        ("$" + ".a" * (LONGEST + 1), f"has more than {LONGEST} steps"),
    ],
)
def test_what_is_no_path_says_where(path, why):
    with pytest.raises(BadPathError) as found:
        steps(path)
    assert str(found.value) == why
