"""What a policy's `routes` say of a server becomes routes and tables like those of the known dialects."""

import itertools

import orjson
import pytest

from phigate.dialect import generic
from phigate.dialect.codecs import JSON
from phigate.dialect.framing import FRAMINGS
from phigate.dialect.known import ROUTES, dialect_of, spoken
from phigate.dialect.routes import Match, RouteTable
from phigate.masking.answer import MaskedStream, broken_off, failure, whole
from tests import policies
from tests.masking.test_answer import sight
from tests.traffic import CANARY_MRN, CANARY_TEXT, leaks


def policy(*routes):
    return policies.policy(tail=f"routes: [{', '.join(routes)}]\n")


def route(match="POST /predict", **more):
    stated = "".join(f", {key}: {value}" for key, value in more.items())
    (made,) = generic.routes_of(policy(f"{{name: mine, match: '{match}', action: predict{stated}}}").routes)
    return made


# -- routes ---------------------------------------------------------------------------------------------------------


def test_what_is_not_said_has_a_default():
    made = route()
    assert (made.name, made.method, made.path, made.action, made.dialect) == (
        "mine",
        "POST",
        "/predict",
        "predict",
        "generic",
    )
    assert (made.stream, made.asks, made.model, made.model_key, made.has_body) == (None, "never", None, None, True)
    assert spoken(made) == generic.DIALECT
    assert list(made.answers) == ["application/json"]


@pytest.mark.parametrize(
    ("said", "model", "key", "found"),
    [
        ({"model": "triage"}, "triage", None, None),
        ({"model": "$.engine"}, None, "engine", None),
        ({"match": "POST /run/{model}/{version}"}, None, None, "ward"),
    ],
)
def test_where_the_model_is_named(said, model, key, found):
    made = route(**said)
    assert (made.model, made.model_key) == (model, key)
    match = RouteTable([made]).find("POST", "/run/ward/3" if found else "/predict")
    assert isinstance(match, Match)
    assert match.model == found


def test_a_get_has_no_body():
    assert not route("GET /classes").has_body


@pytest.mark.parametrize(
    ("answers", "media", "asks"),
    [
        ("ndjson", "application/x-ndjson", "always"),
        ("[sse]", "text/event-stream", "always"),
        ("[json, sse]", "text/event-stream", "either"),
        ("text", "text/plain", "always"),
    ],
)
def test_how_a_server_answers(answers, media, asks):
    made = route(answers=answers)
    assert (made.stream.media, made.asks) == (media, asks)
    assert made.stream.media in FRAMINGS


# -- whole answers --------------------------------------------------------------------------------------------------

FORMS = [
    {"note": CANARY_TEXT},
    [CANARY_TEXT],
    {"id": CANARY_TEXT, "type": CANARY_TEXT, "model": CANARY_TEXT},
    {"mrn": [CANARY_MRN]},
    {CANARY_TEXT: {"deep": [CANARY_TEXT]}},
    {"patient": {"resourceType": "Patient", "name": [{"family": "Quartermaine", "given": ["Zebulon"]}]}},
    CANARY_TEXT,
]


@pytest.mark.parametrize("text", [None, "['$.outputs[*].note']"])
@pytest.mark.parametrize("tree", FORMS)
def test_no_form_of_a_whole_answer_leaks(tree, text):
    table = spoken(route(text=text) if text else route())
    body, _, shown, _ = whole(orjson.dumps(tree), sight(), table, JSON, {})
    assert leaks(body) == leaks(orjson.dumps(shown)) == []


def test_what_is_no_identifier_stays():
    tree = {"outputs": [{"note": "furosemide 40 mg", "score": 0.93, "label": 3}], "took_ms": 12, "ok": True}
    for made in (route(), route(text="['$.outputs[*].note']")):
        assert orjson.loads(whole(orjson.dumps(tree), sight(), spoken(made), JSON, {})[0]) == tree


def test_numbers_that_may_be_text_are_refused():
    with pytest.raises(ValueError, match="cannot be read"):
        whole(orjson.dumps({"ids": list(range(100, 112))}), sight(), spoken(route()), JSON, {})


# -- streams --------------------------------------------------------------------------------------------------------


def streamed(made, *events):
    """The bytes that a caller gets of a stream of these trees (of texts, where it has no events)."""
    stream = MaskedStream(sight(), spoken(made), made.stream)
    parts = [
        event.encode()
        if made.stream.media == "text/plain"
        else FRAMINGS[made.stream.media].write(orjson.dumps(event), "", "")
        for event in events
    ]
    return b"".join(map(stream.feed, parts)) + stream.finish()


def trees(out):
    return [orjson.loads(line.removeprefix(b"data: ")) for line in out.split(b"\n") if line]


PIECES = [CANARY_TEXT[at : at + 5] for at in range(0, len(CANARY_TEXT), 5)]
SO_FAR = list(itertools.accumulate(PIECES))


@pytest.mark.parametrize("answers", ["ndjson", "sse", "[json, sse]"])
@pytest.mark.parametrize(
    ("streams", "told"),
    [("pieces", PIECES), ("cumulative", SO_FAR), ("either", PIECES), ("either", SO_FAR)],
)
def test_a_text_is_masked_however_it_is_told(answers, streams, told):
    made = route(answers=answers, streams=streams, text="['$.out.note']")
    out = trees(streamed(made, *({"out": {"note": piece}} for piece in told)))
    texts = [event["out"]["note"] for event in out]
    whole_text = texts[-1] if told is SO_FAR else "".join(texts)
    assert whole_text.endswith("furosemide 40 mg.")
    assert leaks("".join(texts)) == []
    assert len(texts) > 5


def test_a_text_that_the_route_does_not_name_waits_for_the_end():
    made = route(answers="ndjson", text="['$.note']")
    out = trees(streamed(made, *({"mrn": piece, "score": 0.5} for piece in ("773", "100", "42"))))
    assert [event.get("mrn") for event in out][:-1] == ["", "", ""]
    assert leaks(orjson.dumps(out)) == []


def test_lines_that_stand_for_themselves():
    made = route(answers="ndjson", streams="whole")
    rows = [{"row": at, "mrn": CANARY_MRN, "note": "fine"} for at in range(3)]
    out = trees(streamed(made, *rows))
    assert [(event["row"], event["note"]) for event in out] == [(0, "fine"), (1, "fine"), (2, "fine")]
    assert leaks(orjson.dumps(out)) == []


def test_text_in_chunks():
    out = streamed(route(answers="text"), *PIECES)
    assert out.decode().endswith("furosemide 40 mg.")
    assert leaks(out) == []


def test_a_mark_at_the_end_stays():
    made = route(answers="sse", text="['$.t']")
    stream = MaskedStream(sight(), spoken(made), made.stream)
    out = stream.feed(b'data: {"t": "a b"}\n\ndata: [DONE]\n\n') + stream.finish()
    assert out == b'data: {"t":"a b"}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("answers", "end"),
    [
        ("ndjson", b'{"error":{"code":"c","message":"Broken off."}}\n'),
        ("sse", b'data: {"error":{"code":"c","message":"Broken off."}}\n\n'),
        ("text", b"\n[Broken off.]\n"),
    ],
)
def test_a_stream_that_is_broken_off_says_so(answers, end):
    assert broken_off(route(answers=answers).stream, "c", "Broken off.") == end


@pytest.mark.parametrize("line", [b"garbage\n", b"[]\n", b"1\n", b'"a"\n', b"\xff\n"])
def test_lines_that_are_none_break_it_off(line):
    made = route(answers="ndjson")
    with pytest.raises(ValueError):  # noqa: PT011 -- whatever it says, nothing goes out
        MaskedStream(sight(), spoken(made), made.stream).feed(line)


# -- errors ---------------------------------------------------------------------------------------------------------


def test_errors():
    assert dialect_of("generic") is generic.DIALECT
    assert orjson.loads(generic.error_body(403, "no-rule", "No.", {"ticket": "t"})) == {
        "error": {"code": "no-rule", "message": "No.", "ticket": "t"}
    }
    body, _ = failure(orjson.dumps({"error": CANARY_TEXT}), 500, sight(), generic.DIALECT)
    assert "furosemide" in orjson.loads(body)["error"]["message"]
    assert leaks(body) == []


# -- what a policy may not say --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "match", "fault"),
    [
        ("mine", "POST /predict", None),
        ("mine", "GET /v1/chat/completions", None),
        ("mine", "POST /v1/chat/completions", "`POST /v1/chat/completions` of the dialect `openai`"),
        ("mine", "POST /v2/models/ward/infer", "`POST /v2/models/{model}/infer` of the dialect `kserve`"),
        ("mine", "POST /predictions/{id}", "of the dialect `torchserve`"),
        ("mine", "POST /v1/{id}", "of the dialect"),
        ("openai-chat", "POST /predict", "`openai-chat` is the name of a known route"),
    ],
)
def test_a_route_does_not_stand_in_the_way_of_a_known_one(name, match, fault):
    stated = policy(f"{{name: {name}, match: '{match}', action: predict}}")
    found = list(generic.faults(stated, ROUTES))
    assert bool(found) is bool(fault)
    assert all(at[:2] == ("routes", 0) and (fault or "") in sentence for at, sentence in found)
