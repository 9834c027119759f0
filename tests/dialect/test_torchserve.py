"""TorchServe's answers have any form: JSON, text or bytes; what is no text passes where the rule says so."""

import orjson
import pytest

from phigate.dialect import torchserve
from phigate.dialect.known import ROUTES
from phigate.dialect.routes import Match, RouteTable
from phigate.dialect.tensors import BYTES, Unread
from phigate.masking.answer import failure, whole
from tests.masking.test_answer import sight
from tests.traffic import CANARY_MRN, CANARY_TEXT, leaks

PICTURE = b"\x89PNG\r\n\x1a\n\0"


def masked(content, media="application/json", **more):
    return whole(content, sight(), torchserve.DIALECT, torchserve.ANSWERS[media], {}, **more)


@pytest.mark.parametrize(
    ("sentence", "tree"),
    [
        ("an object", {"note": CANARY_TEXT}),
        ("a list", [CANARY_TEXT, {"deep": [CANARY_TEXT]}]),
        ("a text", CANARY_TEXT),
        ("by its key", {"mrn": [CANARY_MRN]}),
        ("a key", {CANARY_TEXT: 0.9}),
        ("what looks like a constant", {"id": f"Zebulon.Quartermaine.{CANARY_MRN}", "mrn": CANARY_MRN}),
        ("a resource", {"resourceType": "Patient", "name": [{"family": "Quartermaine", "given": ["Zebulon"]}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_form_leaks(sentence, tree):
    body, head, shown, _ = masked(orjson.dumps(tree))
    assert leaks(body) == leaks(orjson.dumps(shown)) == []
    assert type(orjson.loads(body)) is type(tree)
    assert head == [(b"content-type", b"application/json")]


@pytest.mark.parametrize(
    "tree", [{"tabby": 0.93, "siamese": 0.07}, [0, 1, 1], 3, 0.25, [[0.1] * 50], {"label": "sepsis", "score": 0.9}]
)
def test_scores_and_labels_stay(tree):
    assert orjson.loads(masked(orjson.dumps(tree))[0]) == tree


def test_text_and_what_has_no_media_type():
    for media in ("text/plain", ""):
        body, head, shown, _ = masked(CANARY_TEXT.encode(), media)
        assert body.decode().endswith("furosemide 40 mg.")
        assert leaks(body) == leaks(shown) == []
        assert head == [(b"content-type", b"text/plain; charset=utf-8")]
    assert leaks(masked(orjson.dumps([CANARY_TEXT]), "")[0]) == []


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (PICTURE, "image/png"),
        (PICTURE, "application/octet-stream"),
        (orjson.dumps({"ids": list(range(100, 112))}), "application/json"),
        (CANARY_MRN.encode(), "application/json"),
        (CANARY_TEXT.encode("utf-16-le"), "text/plain"),
    ],
)
def test_what_nobody_can_read_passes_only_where_the_rule_says_so(content, media):
    with pytest.raises(ValueError, match="cannot be read"):
        masked(content, media)
    body, head, shown, _ = masked(content, media, opaque=True)
    assert head[0][1].startswith(media.encode())
    assert body == content or media in {"application/json", "text/plain"}  # what can be found in it is masked
    assert media != "text/plain" or leaks(body.replace(b"\0", b"")) == []
    assert "PNG" not in orjson.dumps(shown).decode()


def test_what_steers():
    assert torchserve.DIALECT.steers({"data": "x", "params": {"max_new_tokens": 1}}) == ("max_new_tokens",)


def test_bytes_that_are_text_are_masked():
    body, head, *_ = masked(CANARY_TEXT.encode(), "application/octet-stream")
    assert leaks(body) == []
    assert head == [(b"content-type", b"application/octet-stream")]


@pytest.mark.parametrize(
    ("media", "content", "expected"),
    [
        ("application/json", b'{"data": "hello"}', False),
        ("application/json", b'{"instances": [[6.0, 148.0, 72.0, 35.0, 0.0, 33.0, 50.0, 1.0, 7.0]]}', False),
        ("application/json", orjson.dumps({"input_ids": list(range(100, 112))}), True),
        ("text/plain", b"hello", False),
        ("", b"hello", False),
        ("image/png", PICTURE, True),
        ("text/plain", "hello".encode("utf-16"), True),
    ],
)
def test_requests_that_hide_text(media, content, expected):
    codec = torchserve.READS[media]
    tree = codec.read(content, {})
    assert torchserve.unreadable(tree) is expected
    body, head = codec.write(tree)
    assert body.replace(b" ", b"") == content.replace(b" ", b"")
    assert head[0][1].decode() == (media or "application/octet-stream")


def test_a_prompt_is_masked():
    codec = torchserve.READS["text/plain"]
    tree = codec.read(CANARY_TEXT.encode(), {})
    seen = sight()
    seen.study(tree, torchserve.FIELDS)
    assert leaks(codec.write(seen.tree_for_caller(tree, torchserve.FIELDS))[0]) == []


def test_a_body_that_is_gone_is_not_written():
    assert torchserve.Carried("a/b").write({"body": Unread(BYTES, 1, b"\xff")})[0] == b"\xff"
    with pytest.raises(ValueError, match="no body"):
        torchserve.Carried("a/b").write({"body": 7})


def test_errors():
    assert orjson.loads(torchserve.error_body(403, "no-rule", "No.", {"ticket": "t"})) == {
        "code": 403,
        "type": "no-rule",
        "message": "No.",
        "ticket": "t",
    }
    theirs = {"code": 500, "type": "InternalServerException", "message": f"failed on {CANARY_TEXT}"}
    body, _ = failure(orjson.dumps(theirs), 500, sight(), torchserve.DIALECT)
    assert orjson.loads(body)["message"].startswith("failed on ")
    assert leaks(body) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [("/predictions/ward", "torchserve-predict"), ("/predictions/ward/1.0", "torchserve-predict-version")],
)
def test_routes(path, name):
    found = RouteTable(ROUTES).find("POST", path)
    assert isinstance(found, Match)
    assert (found.route.name, found.model) == (name, "ward")


@pytest.mark.parametrize("path", ["/metrics", "/predictions", "/workflows/w"])
def test_what_else_the_server_has_is_unknown(path):
    table = RouteTable(ROUTES)
    assert table.find("GET", path) is None
    assert table.find("POST", path) is None
