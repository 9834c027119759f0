"""A drawn flow is one that mitmproxy reads, and holds what it was given and nothing else."""

import io

from mitmproxy.io import FlowReader

from phigate.host.recordings.drawn import Answer, Drawing, Message, content, draw, write

PLAIN = Drawing("ex-1", "POST", "/v1/chat/completions", "gw-1", 100.0)


def through_a_file(drawing):
    file = io.BytesIO()
    write(file, drawing)
    file.seek(0)
    (flow,) = FlowReader(file).stream()
    return flow


def test_a_drawn_flow_goes_through_a_file_of_mitmproxys():
    answer = Answer(200, {"said": "[PERSON]"}, 100.5, 101.0)
    drawing = Drawing(
        *("ex-1", "POST", "/v1/chat/completions", "gw-1", 100.0),
        body={"messages": []},
        client="192.0.2.7",
        agent="curl/8",
        answer=answer,
        comment="ada",
        metadata={"v": 1, "request": {"model": None}},
    )
    flow = through_a_file(drawing)
    assert (flow.id, flow.comment, flow.metadata) == ("ex-1", "ada", {"phigate": drawing.metadata})
    assert flow.request.pretty_url == "http://gw-1/v1/chat/completions"
    assert flow.request.headers.fields == (
        (b"content-type", b"application/json"),
        (b"phi-exchange", b"ex-1"),
        (b"user-agent", b"curl/8"),
    )
    assert (flow.request.content, flow.request.timestamp_start) == (b'{"messages":[]}', 100.0)
    assert flow.client_conn.peername == ("192.0.2.7", 0)
    assert (flow.server_conn.address, flow.error, flow.marked) == (None, None, ":white_check_mark:")
    assert flow.response.headers.fields == ((b"content-type", b"application/json"), (b"phi-exchange", b"ex-1"))
    assert (flow.response.status_code, flow.response.text) == (200, '{"said":"[PERSON]"}')
    assert (flow.response.timestamp_start, flow.response.timestamp_end) == (100.5, 101.0)
    assert not flow.live


def test_where_nothing_was_kept_nothing_is_drawn():
    flow = through_a_file(PLAIN)
    assert (flow.request.content, flow.response, flow.websocket, flow.error) == (b"", None, None, None)
    assert flow.request.headers.fields == ((b"phi-exchange", b"ex-1"),)
    assert flow.marked == ":hourglass:"


def test_a_text_is_drawn_as_a_text():
    flow = through_a_file(Drawing(*("e", "POST", "/", "g", 1.0), answer=Answer(200, "[PERSON] slept.", 1.0, 2.0)))
    assert (flow.response.text, flow.response.headers["content-type"]) == ("[PERSON] slept.", "text/plain")


def test_messages_are_those_of_a_websocket():
    said = (Message(True, {"type": "x"}, 1.0), Message(False, "[PERSON]", 2.0))
    flow = through_a_file(Drawing(*("e", "GET", "/", "g", 1.0), answer=Answer(101, None, 1.0, 3.0), messages=said))
    got = [(each.from_client, each.content, each.timestamp) for each in flow.websocket.messages]
    assert got == [(True, b'{"type":"x"}', 1.0), (False, b"[PERSON]", 2.0)]
    assert flow.websocket.timestamp_end == 3.0


def test_a_refusal_is_an_error_without_an_answer():
    flow = through_a_file(Drawing(*("e", "POST", "/", "g", 1.0), refused="deny no-rule"))
    assert (flow.error.msg, flow.response, flow.marked) == ("deny no-rule", None, ":no_entry:")


def test_a_header_stays_in_its_line():
    flow = draw(Drawing(*("e", "POST", "/", "g", 1.0), agent="curl\r\nx-forged: 1\x1b[2J"))
    assert flow.request.headers["user-agent"] == "curl\ufffd\ufffdx-forged: 1\ufffd[2J"


def test_bodies_become_bytes():
    assert [content(body) for body in (None, "é", {"a": [1]}, [])] == [b"", "é".encode(), b'{"a":[1]}', b"[]"]
