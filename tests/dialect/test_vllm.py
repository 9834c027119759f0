"""vLLM's routes beside OpenAI's: ranked documents and labels are masked, of tokens only their number goes out."""

import json

import pytest

from phigate.dialect.tree import rewrite
from phigate.dialect.vllm import DIALECT, REQUEST, ROUTES
from tests.dialect.managed import meant
from tests.seen import pieces, spelled, whole
from tests.traffic import CANARY_TEXT

USAGE = {"prompt_tokens": 9, "total_tokens": 9, "completion_tokens": 0}


def test_of_tokens_only_their_number_goes_out():
    answer = {"count": 20_480, "max_model_len": 131_072, "tokens": [1, 2], "token_strs": pieces(CANARY_TEXT)}
    assert whole(DIALECT, answer) == {"count": 20_480, "max_model_len": 131_072}


@pytest.mark.parametrize(
    "document", [{"text": CANARY_TEXT}, CANARY_TEXT, {"text": CANARY_TEXT, "multi_modal_data": [1]}]
)
def test_ranked_documents_are_masked(document):
    ranked = {"index": 1, "document": document, "relevance_score": 0.9}
    got = whole(DIALECT, {"id": "rerank-1", "model": "m", "usage": USAGE, "results": [ranked]})
    assert spelled(got) == []
    assert "furosemide" in json.dumps(got)
    assert (got["id"], got["results"][0]["index"], got["usage"]) == ("rerank-1", 1, USAGE)


def test_ranked_documents_in_a_list_are_masked():
    (got,) = whole(DIALECT, [{"score": 0.9, "document": CANARY_TEXT, "index": 0}])
    assert spelled(got) == []
    assert (got["score"], got["index"]) == (0.9, 0)


def test_labels_scores_and_vectors_pass():
    item = {"index": 0, "label": "urgent", "probs": [0.1, 0.9], "num_classes": 2, "score": 0.5, "data": [[0.1, -0.2]]}
    answer = {"id": "classify-1", "object": "list", "created": 1745383213, "model": "m", "data": [item], "usage": USAGE}
    assert whole(DIALECT, answer) == answer


def test_a_label_that_is_a_person_is_masked():
    assert spelled(whole(DIALECT, {"data": [{"label": CANARY_TEXT, "novel": {"note": CANARY_TEXT}}]})) == []


UNREADABLE = [
    ("a text", {"input": "hi", "prompt": "hi"}, False),
    ("texts", {"query": "hi", "documents": ["a", {"text": "b"}], "text_1": "a", "text_2": ["b"]}, False),
    ("messages", {"messages": [{"role": "user", "content": "hi"}], "encoding_format": "float"}, False),
    ("token ids", {"input": [1, 2]}, True),
    ("token ids of several", {"input": [[1, 2]]}, True),
    ("tokens", {"tokens": [1, 2]}, True),
    ("labels by token id", {"query": "a", "items": ["b"], "label_token_ids": [5]}, True),
    ("an image among documents", {"documents": [{"content": [{"type": "image_url"}]}]}, True),
    ("where to fetch an image", {"documents": [{"image_url": "https://example.org/a.png"}]}, True),
    ("data of a plugin", {"data": {"image": "aGk="}}, True),
    ("vectors that nobody can look at", {"input": "hi", "encoding_format": "base64"}, True),
    ("a form that is none", {"input": "hi", "encoding_format": ["float"]}, True),
    ("an image in a message", {"messages": [{"content": [{"type": "image_url", "image_url": {}}]}]}, True),
    ("a query that is a number", {"query": 7}, True),
    ("no object", [], True),
]


@pytest.mark.parametrize(("sentence", "request_", "expected"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_what_is_no_text_is_unreadable(sentence, request_, expected):
    assert DIALECT.unreadable(request_) is expected


def test_every_text_of_a_request_is_reached():
    request: dict[str, object] = {
        "model": "m",
        "input": ["T"],
        "prompt": "T",
        "query": "T",
        "documents": ["T", {"text": "T"}],
    }
    request |= {
        "text_1": "T",
        "text_2": ["T"],
        "messages": [{"content": "T"}],
        "chat_template": "T",
        "instruction": "T",
    }
    changed = json.dumps(rewrite(request, REQUEST, lambda text: text.replace("T", "<hidden>")))
    assert changed.count("<hidden>") == 10


def test_what_runs_the_server_or_speaks_in_token_ids_is_no_route():
    paths = {route.path for route in ROUTES}
    dangerous = ["detokenize", "collective_rpc", "server_info", "metrics", "pause", "init_weight_transfer_engine"]
    dangerous += [
        "sleep?level=3",
        "sleep?mode=keep",
        "wake_up?tags=x",
        "invocations",
        "inference/v1/generate",
        "v1/chat/completions/render",
    ]
    assert not {f"/{name}" for name in dangerous} & paths


WEIGHTS = {"names": ["w"], "dtype_names": ["bfloat16"], "shapes": [[2, 3]]}
CHANGES = [
    ("v1/load_lora_adapter", {"lora_name": "triage", "lora_path": "/adapters/triage"}, "triage"),
    ("v1/load_lora_adapter", {"lora_path": "/adapters/triage"}, "model-missing"),
    ("v1/load_lora_adapter", {"lora_name": "triage", "lora_path": ["/a"]}, "malformed"),
    ("v1/load_lora_adapter", {"lora_name": "triage", "lora_path": "/a", "model": "other"}, "member-unknown"),
    ("v1/unload_lora_adapter", {"lora_name": "triage"}, "triage"),
    ("v1/unload_lora_adapter", {"lora_name": "triage", "lora_int_id": 1}, "member-unknown"),
    ("update_weights", {"update_info": WEIGHTS | {"packed": True}}, None),
    ("update_weights", {"update_info": WEIGHTS | {"ipc_handles_pickled": "gASV"}}, "malformed"),
    ("sleep", b"", None),
    ("sleep?level=2", {}, None),
    ("sleep", {"level": 2}, "member-unknown"),
    ("wake_up?tags=weights", b"", None),
    ("reset_prefix_cache", b"", None),
]


@pytest.mark.parametrize(("path", "body", "expected"), CHANGES)
def test_a_change_holds_what_is_known_and_names_the_model_that_is_changed(path, body, expected):
    assert meant("POST", f"/{path}", body) == expected


def test_usage():
    assert DIALECT.used({"usage": USAGE}) == {"input": 9, "output": 0}
