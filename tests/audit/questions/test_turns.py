import pytest

from phigate.audit.questions.turns import pretty, turns, whole

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


@pytest.mark.parametrize(
    "body",
    [
        {"instructions": "MARK", "input": "hello"},
        {"prompt": "hello", "suffix": "MARK"},
        {"prompt": "hello", "input": "MARK"},
        {"system": [{"type": "text", "text": "hello", "more": "MARK"}], "messages": [ASK]},
        {"system": {"a": "MARK"}, "prompt": "hello"},
        {"messages": [ASK], "prompt": "MARK"},
        {"messages": [ASK], "tools": [{"description": "MARK"}]},
        {"messages": [ASK], "from": "MARK"},
        {"messages": [ASK | {"images": ["MARK"]}]},
        {"messages": [ASK | {"text": "MARK"}]},
        {"messages": [ASK | {"message": {"content": "MARK"}}]},
        {"messages": [{"content": "MARK", "message": {"content": "hello"}}]},
        {"messages": [{"role": "user", "content": [{"text": "hello", "type": "image", "source": "MARK"}]}]},
        {"messages": [{"role": "MARK", "content": "hello"}]},
        {"message": ASK, "prompt": "MARK"},
        {"message": ASK, "system": "MARK"},
        {"role": "MARK", "content": "hello"},
        {"choices": [ASK], "messages": "MARK"},
        {"MARK": None, "messages": [ASK]},
        ["hello", "MARK"],
        {"prompt": "hello", "instructions": "MARK", "seed": 2**80},
        {"prompt": "hello", "instructions": "MARK", "name": "\ud800"},
    ],
    ids=str,
)
def test_who_decides_is_shown_all_of_a_body(body):
    assert "MARK" in str(whole(body))


@pytest.mark.parametrize("body", [None, "text", {"messages": [ASK]}, {"system": "Brief!", "prompt": "How?"}, [1]])
def test_a_body_that_holds_nothing_beside_its_text_is_told_alike(body):
    assert whole(body) == turns(body)


def test_what_stands_beside_a_text_comes_after_it():
    assert whole({"model": "m", "messages": [ASK]}) == [
        ("user", "How is she?"),
        ("beside that", pretty({"model": "m"})),
    ]
    assert whole({"inputs": [1]}) == [("body", pretty({"inputs": [1]}))]
    assert whole({}) == [("body", "{}")]
