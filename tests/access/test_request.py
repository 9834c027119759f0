"""What a body asks for, or why it cannot be a request."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.access.request import Asked
from phigate.access.request import read as read_of
from phigate.dialect import codecs
from phigate.dialect.known import dialect_of
from phigate.dialect.routes import Match
from phigate.exchange import Refusal
from tests.stage import ROUTES

CHAT, MODELS = ROUTES["openai-chat"], ROUTES["openai-models"]


def read(route, content):
    return read_of(Match((route,)), content, {b"content-type": b"application/json"}, dialect_of)


READ = [
    ("a model's name", b'{"model":"m"}', "m", False),
    ("the longest name", b'{"model":"%b"}' % (b"m" * 256), "m" * 256, False),
    ("a name of any script", '{"model":"\u6a21\u578b"}'.encode(), "\u6a21\u578b", False),
    ("a stream asked for", b'{"model":"m","stream":true}', "m", True),
    ("no stream asked for", b'{"model":"m","stream":false}', "m", False),
    ("a stream left open", b'{"model":"m","stream":null}', "m", False),
]


@pytest.mark.parametrize(("sentence", "content", "model", "streaming"), READ, ids=[case[0] for case in READ])
def test_a_request_says_which_model_and_whether_it_streams(sentence, content, model, streaming):
    asked = read(CHAT, content)
    assert isinstance(asked, Asked)
    assert (asked.model, asked.streaming, asked.readable) == (model, streaming, True)


def test_a_body_of_a_million_texts_is_not_read(monkeypatch):
    monkeypatch.setattr(codecs.JSON, "read", None)  # it is not even parsed
    refused = read(CHAT, b'{"model":"m","stop":[' + b'"",' * 1_000_000 + b'""]}')
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.reason) == (413, "too-large")


SHARED = [
    ("a member of the first", b'{"text":"a"}', "sglang-generate"),
    ("a member of the second", b'{"inputs":"a"}', "tgi-generate"),
    ("two members of one protocol", b'{"text":"a","input_ids":null}', "sglang-generate"),
    ("members of two protocols", b'{"text":"a","inputs":"b"}', None),
    ("no member of any", b'{"prompt":"a"}', None),
]


@pytest.mark.parametrize(("sentence", "content", "name"), SHARED, ids=[case[0] for case in SHARED])
def test_of_the_routes_of_one_path_the_body_tells_which_is_meant(sentence, content, name):
    routes = tuple(route for route in ROUTES.values() if route.path == "/generate")
    asked = read_of(Match(routes), content, {b"content-type": b"application/json"}, dialect_of)
    if name is None:
        assert isinstance(asked, Refusal)
        assert (asked.status, asked.reason) == (400, "malformed")
    else:
        assert isinstance(asked, Asked)
        assert asked.route.name == name


FOLDING = [
    *("ollama-chat", "openai-chat", "openai-responses", "anthropic-messages", "openai-embeddings"),
    *("openai-moderations", "vllm-rerank-v1", "vllm-score", "cohere-rerank", "llamacpp-completion"),
]


@pytest.mark.parametrize("name", FOLDING)
@pytest.mark.parametrize(
    "content", [b'{"model":"m","Model":"secret"}', b'{"model":"m","Images":["aGk="]}', b'{"model":"m","FORMAT":{}}']
)
def test_a_name_that_a_server_reads_in_any_case_is_refused_in_any_but_lower_case(content, name):
    refused = read(ROUTES[name], content)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.reason) == (400, "malformed")


REFUSED = [
    ("nothing", b"", 400, "malformed"),
    ("no JSON", b"{", 400, "malformed"),
    ("two values", b'{"model":"m"} {}', 400, "malformed"),
    ("a list", b"[]", 400, "malformed"),
    ("a string", b'"m"', 400, "malformed"),
    ("not a number", b'{"model":"m","temperature":NaN}', 400, "malformed"),
    ("no UTF-8", b'{"model":"m","x":"\xff"}', 400, "malformed"),
    ("half a surrogate", b'{"model":"m","x":"\\ud800"}', 400, "malformed"),
    ("nested without end", b'{"model":"m","x":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "malformed"),
    ("two models", b'{"model":"a","model":"b"}', 400, "malformed"),
    ("two members, one escaped, far within", b'{"model":"m","x":[{"y":{"z":1,"\\u007a":2}}]}', 400, "malformed"),
    ("a stream that is no yes or no", b'{"model":"m","stream":"yes"}', 400, "malformed"),
    ("a stream that is a number", b'{"model":"m","stream":1}', 400, "malformed"),
    ("no model", b"{}", 400, "model-missing"),
    ("an empty name", b'{"model":""}', 400, "model-missing"),
    ("a name that is a number", b'{"model":7}', 400, "model-missing"),
    ("a name that is too long", b'{"model":"%b"}' % (b"m" * 257), 400, "model-missing"),
    ("a name with a line break", b'{"model":"m\\nx"}', 400, "model-missing"),
    ("a name that turns the line", b'{"model":"\\u202em"}', 400, "model-missing"),
]


@pytest.mark.parametrize(("sentence", "content", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_no_request_is_refused(sentence, content, status, reason):
    refusal = read(CHAT, content)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (status, reason)


def test_what_goes_on_is_the_tree_that_was_read():
    asked = read(CHAT, b'{"model":"m", "user":"\\u0061:"}')
    assert isinstance(asked, Asked)
    assert asked.tree == {"model": "m", "user": "a:"}


def test_content_that_is_no_text_is_noticed():
    asked = read(CHAT, b'{"model":"m","messages":[{"content":[{"type":"image_url"}]}]}')
    assert isinstance(asked, Asked)
    assert not asked.readable


def test_a_route_without_a_body_asks_for_nothing_more():
    assert read(MODELS, b"ignored") == Asked(MODELS, None, None, streaming=False, readable=True)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(content):
    assert isinstance(read(CHAT, content), Asked | Refusal)


def test_what_a_route_omits_does_not_go_on_and_what_it_sets_does():
    route = replace(CHAT, omits=frozenset({"logprobs"}), sets={"store": False})
    asked = read(route, b'{"model":"m","logprobs":true,"store":true}')
    assert isinstance(asked, Asked)
    assert asked.tree == {"model": "m", "store": False}


NAMELESS = [
    ("none", b'{"prompt":"a"}', None),
    ("nothing said of it", b'{"prompt":"a","model":null}', None),
    ("the one that is named", b'{"prompt":"a","model":"m"}', "m"),
]


@pytest.mark.parametrize(("sentence", "content", "model"), NAMELESS, ids=[case[0] for case in NAMELESS])
def test_a_model_that_a_request_need_not_name_is_meant_where_it_does(sentence, content, model):
    asked = read(ROUTES["llamacpp-completion"], content)
    assert isinstance(asked, Asked)
    assert asked.model == model


@pytest.mark.parametrize("model", [b"7", b'""', b"[]", b"{}", b"false"])
def test_a_name_that_is_none_is_refused_where_none_is_needed_too(model):
    refused = read(ROUTES["llamacpp-completion"], b'{"prompt":"a","model":%b}' % model)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.reason) == (400, "model-missing")


ADAPTED = [
    ("openai-chat", b'{"model":"m","messages":[],"lora_path":"another"}'),
    ("openai-completions", b'{"model":"m","prompt":"a","lora_path":["another"]}'),
    ("openai-chat", b'{"model":"m","messages":[],"lora":[{"id":0,"scale":1}]}'),
    ("openai-responses", b'{"model":"m","input":"a","lora_path":"another"}'),
    ("openai-embeddings", b'{"model":"m","input":"a","lora_path":"another"}'),
    ("sglang-generate", b'{"text":"a","lora_path":"another"}'),
    ("llamacpp-completion", b'{"prompt":"a","lora":[{"id":0,"scale":1}]}'),
    ("tgi-generate", b'{"inputs":"a","parameters":{"adapter_id":"another"}}'),
]


@pytest.mark.parametrize(("name", "content"), ADAPTED, ids=[f"{name} {at}" for at, (name, _) in enumerate(ADAPTED)])
def test_a_model_behind_the_named_one_is_unknown(name, content):
    refused = read(ROUTES[name], content)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.reason) == (404, "model-unknown")
