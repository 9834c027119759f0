"""Flow files are read as plain values and within bounds, whoever made them."""

import io
import random

import pytest
from mitmproxy.io import FlowWriter, tnetstring
from mitmproxy.test import tflow

from phigate.host.recordings import flowfile
from phigate.host.recordings.flowfile import NoFlow, flows


def read(raw):
    """What each flow is: its state, or why it is none."""
    return [str(each) if isinstance(each, NoFlow) else each for each in flows(io.BytesIO(raw))]


def nested(kind, depth):
    data = b""
    for _ in range(depth):
        data = b"%d:%s%s" % (len(data), data, kind)
    return data


def flow_file(*made):
    file = io.BytesIO()
    writer = FlowWriter(file)
    for each in made:
        writer.add(each)
    return file.getvalue()


def test_what_mitmproxy_writes_is_read_as_mitmproxy_reads_it():
    made = [tflow.tflow(resp=True, err=True), tflow.twebsocketflow(), tflow.ttcpflow(), tflow.tdnsflow(resp=True)]
    made[0].metadata = {"a": [1, -2, 1.5, 1e-7, True, False, None, "é", b"\xff", {"b": {}}]}
    raw = flow_file(*made)
    assert read(raw) == [tnetstring.loads(flow_file(each)) for each in made]


def test_an_empty_file_holds_no_flow():
    assert read(b"") == []


def wrapped(raw):
    return b"%d:%s}" % (len(raw), raw)


HOSTILE = [
    ("HAR", b'{"log": {"entries": []}}', ["no-flow-file"]),
    ("a text", b"GET / HTTP/1.1\r\n", ["no-flow-file"]),
    ("no length", b":}", ["no-flow-file"]),
    ("a length that allocates a terabyte", b"999999999999:", ["too-large"]),
    ("a length without an end", b"9" * 100, ["no-flow-file"]),
    ("a length that is not there", b"10:abc", ["cut-off"]),
    ("no type", b"3:abc", ["cut-off"]),
    ("no dictionary", b"3:abc,", ["no-flow"]),
    ("a type that nobody knows", b"3:abcX", ["no-flow"]),
    ("depth", nested(b"]", 100_000), ["too-deep"]),
    ("depth of dictionaries", wrapped(b"1:a;" + nested(b"]", 70)), ["too-deep"]),
    ("a name that is none", wrapped(b"1:1#1:1#"), ["no-flow"]),
    ("a name that cannot be one", wrapped(b"0:}0:~"), ["no-flow"]),
    ("a name without a value", wrapped(b"1:a;"), ["no-flow"]),
    ("an inner length that is too long", wrapped(b"1:a;9:x;"), ["no-flow"]),
    ("an inner length that is none", wrapped(b"x:a;"), ["no-flow"]),
    ("an inner length without an end", wrapped(b"1" * 50), ["no-flow"]),
    ("a number of a million digits", wrapped(b"1:a;1000000:" + b"1" * 1_000_000 + b"#"), ["no-flow"]),
    ("a number that is none", wrapped(b"1:a;3:nan^"), ["no-flow"]),
    ("a number with two points", wrapped(b"1:a;5:1.2.3^"), ["no-flow"]),
    ("a text that is no UTF-8", wrapped(b"1:a;1:\xff;"), ["no-flow"]),
    ("a truth that is none", wrapped(b"1:a;3:yes!"), ["no-flow"]),
    ("a nothing that is something", wrapped(b"1:a;1:x~"), ["no-flow"]),
]


@pytest.mark.parametrize(("sentence", "raw", "said"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_what_is_no_flow_is_said_in_one_word(sentence, raw, said):
    assert read(raw) == said


def test_values_are_bounded(monkeypatch):
    monkeypatch.setattr(flowfile, "MOST", 10)
    assert read(wrapped(b"1:a;24:" + b"0:~" * 8 + b"]")) == ["too-many-values"]
    assert read(wrapped(b"1:a;21:" + b"0:~" * 7 + b"]")) == [{"a": [None] * 7}]


def test_a_flow_that_cannot_be_read_hides_none_behind_it():
    assert read(wrapped(b"1:a;3:yes!") + wrapped(b"1:a;4:true!")) == ["no-flow", {"a": True}]


def test_no_damage_raises_anything():
    chance = random.Random(6)
    raw = flow_file(tflow.tflow(resp=True))
    for _ in range(400):
        spoilt = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        for each in read(bytes(spoilt[: chance.randint(1, len(spoilt))])):
            assert isinstance(each, str | dict)
