from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from phigate.policy import fields
from phigate.policy.masks import Transform


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refused(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as found:
        read(kind, value)
    return str(found.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT30M", timedelta(minutes=30)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("P2W", timedelta(weeks=2)),
    ],
)
def test_durations_are_iso_8601(text: str, length: timedelta) -> None:
    assert read(fields.Duration, text) == length


@pytest.mark.parametrize(
    "text", ["P", "PT", "1h", "30", "PT1.5H", "-PT1H", "pt1h", "PT1H ", "P1", "PT1M1H", "PT٣M", "P1M", "P1Y"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    assert "`" in refused(fields.Duration, text)


def test_what_is_kept_for_years_is_never_kept_shorter() -> None:
    assert read(fields.Retention, "P6Y") >= timedelta(days=6 * 365 + 2)
    assert read(fields.Retention, "P1M") == timedelta(days=31)


@pytest.mark.parametrize(
    ("kind", "text"), [(fields.Duration, "PT0S"), (fields.Leeway, "PT301S"), (fields.Duration, "P500D")]
)
def test_durations_have_bounds(kind: Any, text: str) -> None:
    assert "is too" in refused(kind, text)


@pytest.mark.parametrize("value", ["01", "1.0", "-1", "+1", "1e3", "٣", "9" * 20, True, 1.0, [], None])
def test_a_number_is_written_in_plain_digits(value: object) -> None:
    assert refused(fields.Whole, value).startswith("must be a whole number")


def test_numbers_may_be_numbers_already() -> None:
    assert read(fields.Whole, 3) == read(fields.Whole, "3") == 3


def test_a_list_names_nothing_twice() -> None:
    assert refused(fields.Some[fields.Action], ["chat", "embed", "chat"]) == "`chat` stands twice"


def test_an_audience_may_stand_alone() -> None:
    assert read(fields.Audience, "a") == ("a",)
    assert read(fields.Audience, ["a", "b"]) == ("a", "b")


def test_a_mask_reads_both_forms_of_keep_last() -> None:
    mask = read(fields.MaskOf, {"MRN": "keep-last", "NPI": {"keep-last": "2"}, "OTHER": "redact"})
    assert (mask.of("MRN"), mask.of("NPI")) == (Transform("keep-last", 4), Transform("keep-last", 2))


def test_a_mask_has_options_beside_its_entities() -> None:
    mask = read(fields.MaskOf, {"scope": "session", "bias": "recall", "undecodable": "permit", "OTHER": "redact"})
    assert (mask.scope, mask.bias, mask.undecodable, set(mask.transforms)) == ("session", "recall", "permit", {"OTHER"})
    plain = read(fields.MaskOf, {"OTHER": "encrypt", "LOCATION": "generalise"})
    assert (plain.scope, plain.bias, plain.undecodable) == ("subject", "balanced", "redact")
    assert read(fields.MaskOf, mask) is mask


def test_the_options_faults_come_with_those_of_the_entities_at_their_places() -> None:
    with pytest.raises(ValidationError) as found:
        read(fields.MaskOf, {"scope": "ward", "bias": "", "MRN": "blur", "scoop": "x", "OTHER": "redact"})
    said = {(each["loc"][0], each["msg"]) for each in found.value.errors()}
    assert said == {
        ("scope", "unknown scope `ward`"),
        ("bias", "unknown bias ``"),
        ("MRN", "unknown transform `blur`"),
        ("scoop", "unknown entity `scoop`, did you mean `scope`"),
        ("scoop", "unknown transform `x`"),
    }


@pytest.mark.parametrize("value", [{"keep": 1}, {}, {"keep-last": 1, "x": 2}, ["redact"], None])
def test_a_transform_has_no_other_form(value: object) -> None:
    assert refused(fields.MaskOf, {"OTHER": value}) == "must be a transform, or `{keep-last: N}`"


@pytest.mark.parametrize("name", ["a b", "-a", "", "ä", "a" * 65, "a\n", "a:b"])
def test_names_fit_into_a_header(name: str) -> None:
    assert refused(fields.Name, name)


@pytest.mark.parametrize("value", ["POST /predict", "GET /v1/x?y=1"])
def test_a_route_is_a_method_and_a_path(value: str) -> None:
    assert read(fields.RouteMatch, value) == value


@pytest.mark.parametrize("value", [0, 2, "01", "1.0", True, None, []])
def test_there_is_one_version(value: object) -> None:
    assert refused(fields.Version, value).startswith("must be `1`")


@pytest.mark.parametrize("path", ["$.a", "$..note", "$.items[*].name", "$['two words']"])
def test_a_field_is_named_by_its_path(path: str) -> None:
    assert read(fields.FieldPath, path) == path


@pytest.mark.parametrize("path", ["a.b", "$", "$.a[?(@.b)]", "$.a[1:2]"])
def test_a_path_that_cannot_be_read_says_why(path: str) -> None:
    assert refused(fields.FieldPath, path).startswith(f"`{path}` is not a path: it ")


def test_what_is_hidden_is_hidden_as_an_entity() -> None:
    assert read(fields.HiddenAs, "MRN") == "MRN"
    assert refused(fields.HiddenAs, "PRESON") == "unknown entity `PRESON`, did you mean `PERSON`"
    assert refused(fields.HiddenAs, "OTHER") == "unknown entity `OTHER`"
