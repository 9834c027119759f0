from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from phigate.policy.sentences import fault, meant, quoted, sentence


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("plain", "`plain`"),
        ("two\nlines", "`two lines`"),
        ("a`b", "`a'b`"),
        ("turned\u202e", "`turned?`"),
        ("x" * 100, f"`{'x' * 77}...`"),
    ],
    ids=["plain", "line break", "backtick", "direction", "long"],
)
def test_a_word_stays_one_short_readable_line(word: str, shown: str) -> None:
    assert quoted(word) == shown


def test_only_a_near_word_is_suggested() -> None:
    assert meant("chatt", {"chat", "embed"}) == ", did you mean `chat`"
    assert meant("zzz", {"chat", "embed"}) == ""


def test_braces_in_a_sentence_stay() -> None:
    assert fault("as in `{a: b}`").message() == "as in `{a: b}`"


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=2, max_length=3)
    count: int = Field(ge=1, le=5)
    many: tuple[str, ...] = Field(min_length=1)
    by_name: dict[str, str]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"text": "abcd"}, "is longer than 3 characters"),
        ({"text": ""}, "is empty"),
        ({"text": []}, "must be a text"),
        ({"count": 0}, "must be at least 1"),
        ({"count": 6}, "must be at most 5"),
        ({"many": []}, "is empty"),
        ({"many": "x"}, "must be a list, as in `[...]`"),
        ({"by_name": []}, "must be a mapping"),
        ({"cuont": 1}, "unknown key `cuont`, did you mean `count`"),
    ],
)
def test_pydantic_speaks_our_sentences(values: dict[str, object], said: str) -> None:
    good = {"text": "ab", "count": 1, "many": ["x"], "by_name": {}}
    with pytest.raises(ValidationError) as refused:
        Sample.model_validate(good | values)
    (error,) = refused.value.errors()
    assert sentence(error, set(Sample.model_fields)) == said


def test_what_is_missing_is_said_so() -> None:
    with pytest.raises(ValidationError) as refused:
        Sample.model_validate({})
    assert {sentence(error, ()) for error in refused.value.errors()} == {"is missing"}
