"""What the OpenAI dialect says of errors, usage and content it cannot read."""

import orjson
import pytest

from phigate.dialect import openai


def test_errors_have_the_shape_that_clients_show():
    error = orjson.loads(openai.error_body(403, "no-rule", "No rule permits this.", {"ticket": "t-1"}))["error"]
    assert error == {
        "message": "No rule permits this.",
        "type": "permission_error",
        "param": None,
        "code": "no-rule",
        "ticket": "t-1",
    }


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication_error"), (400, "invalid_request_error"), (503, "gateway_error")]
)
def test_the_error_type_follows_the_status(status, kind):
    assert orjson.loads(openai.error_body(status, "x", "y"))["error"]["type"] == kind


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("plain messages", {"messages": [{"role": "user", "content": "hello"}]}, False),
        ("text parts", {"messages": [{"content": [{"type": "text", "text": "a"}]}]}, False),
        ("no content at all", {"messages": [{"role": "assistant", "tool_calls": []}]}, False),
        ("an image", {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}, True),
        ("audio", {"messages": [{"content": [{"type": "input_audio"}]}]}, True),
        ("a kind nobody knows", {"messages": [{"content": [{"type": "new"}]}]}, True),
        ("a part that is no object", {"messages": [{"content": ["text"]}]}, True),
        ("prompts as text", {"prompt": ["a", "b"]}, False),
        ("a prompt as token ids", {"prompt": [1, 2]}, True),
        ("prompts as lists of token ids", {"prompt": [[1], [2]]}, True),
        ("input as token ids", {"input": [1]}, True),
        ("no object", [], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_content_that_hides_text(sentence, request_, expected):
    assert openai.unreadable(request_) is expected


def test_usage():
    assert openai.DIALECT.used({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}) == {
        "input": 3,
        "output": 4,
    }
    assert openai.DIALECT.used({"usage": None}) == {}
    assert openai.DIALECT.used([]) == {}
