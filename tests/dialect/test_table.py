"""What a dialect's table says of an answer."""

from dataclasses import replace

import pytest

from phigate.dialect import openai


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}, {"input": 3, "output": 4}),
        ({"usage": {"prompt_tokens": True, "completion_tokens": "4"}}, {}),
        ({"usage": None}, {}),
        ([], {}),
    ],
)
def test_counts_of_tokens_are_read_where_the_table_says(answer, expected):
    assert openai.DIALECT.used(answer) == expected


def test_counts_of_tokens_are_read_in_the_frames_of_an_answer_too():
    table = replace(openai.DIALECT, frames=("delta", "response"))
    told = {"usage": {"prompt_tokens": 1}, "response": {"usage": {"completion_tokens": 4}}, "delta": "text"}
    assert table.used(told) == {"input": 1, "output": 4}


def test_bystanders_do_not_see_the_caller_s_name_of_a_model_as_a_constant():
    assert openai.DIALECT.request.constant - openai.DIALECT.shown.constant == {"model"}


def test_several_tables_may_describe_one_protocol_which_the_policy_knows_by_one_name():
    part = replace(openai.DIALECT, name="openai-novel", part_of="openai")
    assert (part.protocol, openai.DIALECT.protocol) == ("openai", "openai")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"lora_path": "another"}, True),
        ({"parameters": {"lora_path": "another"}}, True),
        ({"lora_path": None, "parameters": None}, False),
        ({"metadata": {"lora_path": "another"}}, False),
        ([], False),
    ],
)
def test_a_request_may_ask_for_another_model_than_it_names(request_, expected):
    assert openai.DIALECT.adapts(request_) is expected
