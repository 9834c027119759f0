from __future__ import annotations

import pytest

from phigate.policy.schema import Ambiguous, Target, Unknown
from phigate.policy.targets import folded
from tests.policies import policy

OF = policy(
    tail=(
        "models:\n"
        "  ward: {url: 'http://10.0.0.1:1', names: ['llama3*', mine], credential: 'env:KEY'}\n"
        "  small: {names: ['*:1b', 'llama3:exact']}\n"
        "  newest: {names: ['newest:latest']}\n"
        "  plain: {url: 'https://10.0.0.2:2', grpc: 'grpcs://10.0.0.2:3'}\n"
    )
)
WARD = Target("ward", "http://10.0.0.1:1", "env:KEY")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("llama3:8b", WARD),
        ("mine", WARD),
        ("llama3:exact", Target("small")),
        ("qwen:1b", Target("small")),
        ("llama3:1b", Ambiguous(("small", "ward"))),
        ("plain", Target("plain", "https://10.0.0.2:2", grpc="grpcs://10.0.0.2:3")),
        ("mine:latest", WARD),
        ("newest", Target("newest")),
        ("newest:latest", Target("newest")),
        ("newest:latest:latest", Unknown()),
        ("ward", Unknown()),
        ("xllama3", Unknown()),
        ("LLAMA3", Unknown()),
        ("llama3 for Ms Poe", Unknown()),
        ("llama3\n", Unknown()),
        ("", Unknown()),
    ],
    ids=[
        "a pattern",
        "an exact name",
        "an exact name beats a pattern",
        "a pattern in front",
        "two patterns of different models",
        "an entry without names is its own name",
        "the tag that says nothing",
        "a name in the policy with that tag",
        "both with that tag",
        "a tag of a tag",
        "an entry with names is not",
        "patterns hold from the start",
        "case matters",
        "no name at all",
        "no line break",
        "nothing",
    ],
)
def test_a_callers_name_means_one_model_or_none(name: str, answer: object) -> None:
    assert OF.resolve(name) == answer


def test_the_policys_own_name_means_its_model_whatever_callers_call_it() -> None:
    assert OF.targets.called("ward") == WARD
    assert OF.targets.called("mine") == Unknown()
    assert policy().targets.called("ward") == Target("ward")


def test_two_patterns_of_one_model_are_no_conflict() -> None:
    of = policy(tail="models: {ward: {names: ['a*', '*b']}}\n")
    assert of.resolve("ab") == Target("ward")


def test_without_models_the_name_is_the_target_if_it_looks_like_one() -> None:
    assert policy().resolve("org/model:7b-q4") == Target("org/model:7b-q4")
    assert policy().resolve("the model of Ms Poe") == Unknown()


def test_a_dot_in_a_pattern_is_a_dot() -> None:
    of = policy(tail="models: {ward: {names: ['v1.*']}}\n")
    assert of.resolve("v1.5") == Target("ward")
    assert of.resolve("v125") == Unknown()
    assert policy().resolve("llama3:latest") == Target("llama3")


def test_a_pattern_of_that_tag_fits_a_name_without_one() -> None:
    of = policy(tail="models: {ward: {names: ['*:latest']}}\n")
    assert of.resolve("llama3") == of.resolve("llama3:latest") == Target("ward")


@pytest.mark.parametrize(
    "spelled", ["llama3", "LLama3:latest", "library/llama3", "Registry.ollama.ai/library/llama3:LATEST"]
)
def test_spellings_that_some_server_takes_for_one_name_are_folded(spelled: str) -> None:
    assert folded(spelled) == "llama3"


@pytest.mark.parametrize("spelled", ["llama3:8b", "org/llama3", "llama3:latest-8b"])
def test_other_names_are_others(spelled: str) -> None:
    assert folded(spelled) == spelled
