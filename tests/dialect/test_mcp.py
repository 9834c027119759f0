"""MCP's messages: each masked whole both ways, versions and ids kept, what is no text told apart."""

import json

import orjson
import pytest

from phigate.dialect import mcp
from phigate.dialect.mcp import DIALECT, FIELDS, STREAM
from phigate.masking.answer import broken_off, failure
from tests.dialect.reading import asked, events_in, sight, streamed, traces, whole
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT

ANY = {"patient_name": CANARY_NAME, "mrn": int(CANARY_MRN), "data": [{"ssn": CANARY_SSN}, CANARY_TEXT], "a b": True}
TEXT = {"type": "text", "text": CANARY_TEXT}
PLACE = {"uri": "chart://today", "name": "today", "mimeType": "text/plain"}
SCHEMA = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "title": CANARY_TEXT}


def answer(**result):
    return {"jsonrpc": "2.0", "id": "call-5362281450", "result": result}


def notice(method, **params):
    return {"jsonrpc": "2.0", "method": method, "params": params}


MESSAGES = [
    ("a tool's result", answer(content=[TEXT], structuredContent=ANY, isError=False)),
    ("a resource in a result", answer(content=[{"type": "resource", "resource": PLACE | {"text": CANARY_TEXT}}])),
    ("a link in a result", answer(content=[{"type": "resource_link", **PLACE, "description": CANARY_TEXT}])),
    ("a resource", answer(contents=[PLACE | {"text": CANARY_TEXT}])),
    ("a prompt", answer(description=CANARY_TEXT, messages=[{"role": "user", "content": TEXT}])),
    ("tools", answer(tools=[{"name": "send", "description": CANARY_TEXT, "inputSchema": SCHEMA}])),
    ("resources", answer(resources=[PLACE | {"title": CANARY_TEXT}], nextCursor="c2")),
    ("completions", answer(completion={"values": [CANARY_TEXT], "total": 1, "hasMore": False})),
    ("a beginning", answer(protocolVersion="2025-06-18", serverInfo={"name": "ward"}, instructions=CANARY_TEXT)),
    ("progress", notice("notifications/progress", progressToken=1, progress=0.5, message=CANARY_TEXT)),
    ("a log", notice("notifications/message", level="info", logger="ward", data=ANY | {"note": CANARY_TEXT})),
    ("a log that is text", notice("notifications/message", level="info", data=CANARY_TEXT)),
    (
        "a question to the client",
        {"id": 7, **notice("elicitation/create", message=CANARY_TEXT, requestedSchema=SCHEMA)},
    ),
    (
        "a prompt for the client's model",
        {
            "id": 7,
            **notice("sampling/createMessage", systemPrompt=CANARY_TEXT, messages=[{"role": "user", "content": TEXT}]),
        },
    ),
    ("an error", {"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": CANARY_TEXT, "data": ANY}}),
    ("what nobody knows", answer(novel={"deep": [CANARY_TEXT]})),
]


@pytest.mark.parametrize("message", [message for _, message in MESSAGES], ids=[sentence for sentence, _ in MESSAGES])
def test_every_message_is_masked_alike_whole_and_streamed(message):
    caller, shown, _ = whole(message, DIALECT)
    data = b"event: message\r\nid: s-7\r\ndata: " + orjson.dumps(message) + b"\r\n\r\n"
    for parts in ([data], [bytes([byte]) for byte in data]):
        raw, bystanders = streamed(parts, DIALECT, STREAM)
        assert raw.startswith(b"id: s-7\n")
        assert [tree for _, tree in events_in(raw)] == [caller]
        for seen in (caller, shown, raw, bystanders):
            assert traces(seen) == []
    assert "furosemide 40 mg" in json.dumps(caller)
    for key in ("jsonrpc", "id", "method"):
        assert caller.get(key) == message.get(key)


def test_what_the_two_sides_compare_is_kept():
    kept = answer(
        protocolVersion="2025-11-25",
        supportedVersions=["2025-11-25", "2026-07-28"],
        _meta={
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "c"},
        },
        tools=[{"name": "read_chart", "inputSchema": {"type": "object", "properties": {"about": {"type": "string"}}}}],
        contents=[{"uri": "chart://today", "mimeType": "text/plain", "text": "All is well."}],
    )
    assert whole(kept, DIALECT)[0] == kept
    assert asked(kept, FIELDS) == kept


@pytest.mark.parametrize("own", ["41bcdd71-0a26-4bca-ab17-2d260332b40c", "41bcdd71-0a26-4bca-ab17-2d260332b40c-17"])
def test_ids_that_the_two_sides_make_up_are_kept(own):
    kept = {"jsonrpc": "2.0", "id": own, "result": {"_meta": {"progressToken": own}}}
    assert whole(kept, DIALECT)[0] == kept
    data = f"id: {own}\ndata: {json.dumps(kept)}\n\n".encode()
    assert streamed([data], DIALECT, STREAM)[0].startswith(f"id: {own}\n".encode())


@pytest.mark.parametrize("version", ["1942-03-07", "2025-06-18 jane", ["2025-06-18", "1942-03-07"]])
def test_a_version_that_is_none_is_text(version):
    assert "1942-03-07" not in json.dumps(whole(answer(protocolVersion=version), DIALECT)[0])


def test_a_masked_result_is_not_held_to_the_schema_of_the_unmasked_one():
    listed = answer(tools=[{"name": "chart", "outputSchema": {"properties": {"mrn": {"type": "integer"}}}}])
    assert whole(listed, DIALECT)[0]["result"]["tools"] == [{"name": "chart"}]


def test_errors_are_messages_among_others():
    failed = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "No."}}
    raw, _ = streamed([b"data: %b\n\n" % orjson.dumps(each) for each in (failed, answer(ok=True))], DIALECT, STREAM)
    assert [tree for _, tree in events_in(raw)] == [failed, answer(ok=True)]


@pytest.mark.parametrize(
    ("sentence", "data"),
    [
        ("no JSON", b"data: {\n\n"),
        ("the address of the older transport", b"event: endpoint\ndata: /messages/?session_id=77310042\n\n"),
        ("several messages", b"data: [{}]\n\n"),
        ("an image", b"data: %b\n\n" % orjson.dumps(answer(content=[{"type": "image", "data": "QUJD"}]))),
        ("4 MB", b"data: " + b"x" * 4 * 1024 * 1024),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_cannot_be_read_is_an_error(sentence, data):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 -- of whichever layer
        streamed([data], DIALECT, STREAM)
    assert traces(str(raised.value)) == []


OPAQUE = [
    ("an image", answer(content=[TEXT, {"type": "image", "data": "QUJD", "mimeType": "image/png"}])),
    ("sound", answer(content=[{"type": "audio", "data": "QUJD"}])),
    ("a resource in bytes", answer(contents=[PLACE | {"blob": "QUJD"}])),
    ("bytes in a result", answer(content=[{"type": "resource", "resource": PLACE | {"blob": "QUJD"}}])),
    (
        "an image for a model",
        notice("sampling/createMessage", messages=[{"content": {"type": "image", "data": "QUJD"}}]),
    ),
]


@pytest.mark.parametrize("message", [message for _, message in OPAQUE], ids=[sentence for sentence, _ in OPAQUE])
def test_content_that_is_no_text_is_refused_both_ways(message):
    assert DIALECT.unreadable(message)
    with pytest.raises(ValueError, match="content that cannot be read"):
        whole(message, DIALECT)
    raw, _ = streamed([b"data: " + orjson.dumps(message) + b"\n\n"], DIALECT, STREAM, opaque=True)
    assert len(events_in(raw)) == 1


@pytest.mark.parametrize("message", [message for _, message in MESSAGES], ids=[sentence for sentence, _ in MESSAGES])
def test_text_is_readable(message):
    assert not mcp.opaque(message)


def test_an_upstreams_error_keeps_its_message_masked():
    told = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": f"no session: {CANARY_TEXT}"}}
    body, shown = failure(orjson.dumps(told), 404, sight(), DIALECT)
    error = json.loads(body)["error"]
    assert (error["code"], error["data"]) == (-32000, {"reason": "upstream-refused"})
    assert error["message"].startswith("no session: Patient: [PERSON]")
    assert traces(body) == traces(shown) == []


def test_errors_have_the_shape_that_clients_raise():
    expected = {"code": -32000, "message": "No.", "data": {"reason": "no-rule", "ticket": "t-1"}}
    tree = json.loads(mcp.error_body(403, "no-rule", "No.", {"ticket": "t-1"}))
    assert tree == {"jsonrpc": "2.0", "id": None, "error": expected}
    [(name, event)] = events_in(broken_off(STREAM, "stream-broken-off", "Broken off."))
    assert (name, event["error"]["message"]) == ("", "Broken off.")


# -- requests -------------------------------------------------------------------------------------------------------

REQUESTS = [
    {"id": 1, **notice("tools/call", name="send", arguments=ANY)},
    {"id": 1, **notice("prompts/get", name="handover", arguments={"to": CANARY_TEXT})},
    {
        "id": 1,
        **notice("completion/complete", ref={"type": "ref/prompt"}, argument={"name": "to", "value": CANARY_TEXT}),
    },
    {"id": 1, **notice("resources/read", uri=f"chart://{CANARY_SSN}")},
    {"jsonrpc": "2.0", "id": 7, "result": {"role": "assistant", "content": TEXT, "model": "m"}},
    {"jsonrpc": "2.0", "id": 7, "result": {"action": "accept", "content": {"note": CANARY_TEXT}}},
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_masked_request_is_masked_in_every_place(request_):
    onward = asked(request_, FIELDS)
    assert traces(onward) == []
    assert onward["id"] == request_["id"]
    assert not mcp.opaque(request_)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (notice("tools/list"), [(b"mcp-method", b"tools/list")]),
        (notice("tools/call", name="send"), [(b"mcp-method", b"tools/call"), (b"mcp-name", b"send")]),
        (notice("resources/read", uri="a://b c"), [(b"mcp-method", b"resources/read"), (b"mcp-name", b"a://b c")]),
        (notice("prompts/get", name="é"), [(b"mcp-method", b"prompts/get"), (b"mcp-name", b"=?base64?w6k=?=")]),
        (
            notice("prompts/get", name="a\r\nb: c"),
            [(b"mcp-method", b"prompts/get"), (b"mcp-name", b"=?base64?YQ0KYjogYw==?=")],
        ),
        (
            notice("prompts/get", name="=?base64?x?="),
            [(b"mcp-method", b"prompts/get"), (b"mcp-name", b"=?base64?PT9iYXNlNjQ/eD89?=")],
        ),
        (notice("tools/call", name=7), [(b"mcp-method", b"tools/call")]),
        ({"method": "tools/call", "params": []}, [(b"mcp-method", b"tools/call")]),
        ({"method": "a\r\nb: c"}, []),
        ({"result": {}}, []),
    ],
)
def test_what_servers_compare_with_the_message_is_said_from_the_message(request_, expected):
    assert mcp.heads(request_) == expected


def test_a_session_and_where_it_goes_on_are_all_that_passes_of_a_head():
    assert DIALECT.passes.keys() == {b"mcp-session-id", b"mcp-protocol-version", b"last-event-id"}
    assert DIALECT.owned == DIALECT.passes.keys() - {b"mcp-protocol-version"}
    version = DIALECT.passes[b"mcp-protocol-version"]
    assert version.fullmatch(b"2025-06-18")
    assert not version.fullmatch(CANARY_MRN.encode())


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "tasks/list"}, True),
        ({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": "t"}}, False),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, False),
        ([], False),
    ],
)
def test_the_list_of_all_callers_tasks_is_not_reached(request_, expected):
    assert DIALECT.stored(request_) is expected
