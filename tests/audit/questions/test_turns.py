import pytest

from phigate.audit.questions.turns import pretty, turns

ASK = {"role": "user", "content": "How is she?"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, []),
        ({"messages": [{"role": "system", "content": "Brief!"}, ASK]}, [("system", "Brief!"), ("user", "How is she?")]),
        ({"system": "Brief!", "messages": [ASK]}, [("system", "Brief!"), ("user", "How is she?")]),
        ({"messages": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]}, [("user", "a\nb")]),
        ({"choices": [{"message": {"role": "assistant", "content": "Well."}}]}, [("assistant", "Well.")]),
        ({"choices": [{"text": "Well."}]}, [("text", "Well.")]),
        ({"message": {"role": "assistant", "content": "Well."}}, [("assistant", "Well.")]),
        ({"role": "assistant", "content": [{"type": "text", "text": "Well."}]}, [("assistant", "Well.")]),
        ({"response": "Well."}, [("assistant", "Well.")]),
        ({"prompt": "How?", "system": [{"text": "Be brief."}]}, [("system", "Be brief."), ("user", "How?")]),
        ({"input": ["a", "b"]}, [("user", "a\nb")]),
        ({"input": [ASK]}, [("user", "How is she?")]),
        ("streamed text", [("body", "streamed text")]),
        ({"inputs": [{"data": [1]}]}, [("body", pretty({"inputs": [{"data": [1]}]}))]),
        ({"messages": []}, [("body", pretty({"messages": []}))]),
        ({"messages": [7]}, [("body", pretty({"messages": [7]}))]),
        ([1], [("body", "[\n  1\n]")]),
    ],
    ids=str,
)  # fmt: skip
def test_who_said_what(body, said):
    assert turns(body) == said


def test_what_is_no_text_is_shown_as_it_is():
    image = [{"type": "image_url", "image_url": {"url": "[IMAGE]"}}]
    assert turns({"messages": [{"role": "user", "content": image}]}) == [("user", pretty(image))]
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}
    assert turns({"choices": [{"message": call}]}) == [("assistant", pretty({"tool_calls": [{"name": "f"}]}))]


@pytest.mark.parametrize("odd", [5, [None], {"a": [{}]}, [[["text"]]], True], ids=repr)
@pytest.mark.parametrize("name", ["messages", "choices", "input", "message", "content", "system", "prompt", "response"])
def test_any_shape_is_told_in_texts(name, odd):
    assert all(isinstance(who, str) and isinstance(text, str) for who, text in turns({name: odd, "messages": [ASK]}))
    assert all(isinstance(who, str) and isinstance(text, str) for who, text in turns({name: odd}))
