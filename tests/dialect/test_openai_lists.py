"""Models, vectors and moderations: what servers say beside them is masked, and a vector is no text in disguise."""

import base64
import json
import struct

import orjson
import pytest

from phigate.dialect import openai_lists
from phigate.dialect.codecs import JSON
from tests.dialect.seen import NOTE, hidden, onward, whole
from tests.stage import ROUTES

DIALECT = openai_lists.DIALECT
VECTORS = ROUTES["openai-embeddings"].answers["application/json"]


def vectors(*embeddings, **more):
    data = [{"object": "embedding", "index": at, "embedding": each} for at, each in enumerate(embeddings)]
    return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 9, "total_tokens": 9}} | more


def test_vectors_pass_and_what_is_told_beside_them_is_masked():
    answer = vectors([0.25, -1.0], [0.0, 0.0], input=NOTE)
    answer["data"][0] |= {"text": NOTE, "prompt_token_ids": [7]}
    made = whole(DIALECT, answer, codec=VECTORS)
    assert [each["embedding"] for each in made["data"]] == [[0.25, -1.0], [0.0, 0.0]]
    assert hidden(made)
    assert "prompt_token_ids" not in made["data"][0]
    assert (made["model"], made["usage"]) == ("m", {"prompt_tokens": 9, "total_tokens": 9})


@pytest.mark.parametrize(
    ("sentence", "embedding"),
    [
        ("numbers of tokens", [90, 101, 98, 117]),
        ("letters", ["Zebulon", "Quartermaine"]),
        ("base64", base64.b64encode(struct.pack("<2f", 0.25, -1.0)).decode()),
        ("a list in a list", [[0.25]]),
        ("nothing", None),
    ],
)
def test_what_is_no_vector_is_not_read(sentence, embedding):
    with pytest.raises(ValueError, match="no vectors"):
        VECTORS.read(orjson.dumps(vectors(embedding)), {})


@pytest.mark.parametrize("body", [b"[]", b'{"data": {}}', b'{"data": [1]}', b"{}"])
def test_an_answer_without_vectors_is_not_read(body):
    with pytest.raises(ValueError, match="no vectors"):
        VECTORS.read(body, {})


def test_vectors_are_asked_for_as_numbers():
    assert ROUTES["openai-embeddings"].sets == {"encoding_format": "float"}


def test_moderations_pass_and_what_they_echo_is_masked():
    result = {"flagged": True, "categories": {"harassment/threatening": True}, "category_scores": {"violence": 0.9}}
    made = whole(DIALECT, {"id": "modr-1", "model": "m", "results": [result | {"input": NOTE}]}, codec=JSON)
    assert hidden(made)
    assert {key: made["results"][0][key] for key in result} == result


def test_models_are_listed_and_what_is_said_of_them_is_masked():
    model = {"id": "meta/llama-3.1", "object": "model", "created": 1730000000, "owned_by": "vllm"}
    made = whole(DIALECT, {"object": "list", "data": [model | {"description": NOTE}]})
    assert hidden(made)
    assert {key: made["data"][0][key] for key in model} == model


@pytest.mark.parametrize(
    ("sentence", "given", "expected"),
    [
        ("a text", "a", False),
        ("texts", ["a", "b"], False),
        ("text parts", [{"type": "text", "text": "a"}], False),
        ("an image", [{"type": "image_url", "image_url": {"url": "data:"}}], True),
        ("a part nobody knows", [{"type": "text", "text": "a", "novel": 1}], True),
        ("an object", {"image": "x"}, True),
        ("numbers of tokens", [1, 2], True),
        ("lists of them", [[1], [2]], True),
    ],
)
def test_content_that_is_no_text(sentence, given, expected):
    assert openai_lists.unreadable({"input": given}) is expected


def test_every_text_of_a_request_is_masked_where_the_model_is_not_told():
    made = onward(DIALECT, {"model": "m", "input": [NOTE, NOTE], "user": NOTE})
    assert hidden(made)
    assert json.dumps(made).count("furosemide") == 3
