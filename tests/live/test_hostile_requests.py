"""Hostile requests, byte for byte, against a real gateway: what is refused never reaches the model server.

And nothing of a refused request shows in its answer, in the log, or in the journal in the clear.
"""

import json

import orjson
import pytest

from model_server import Answer, ModelServer
from people import policy_for
from processes import Gateway
from tests.live.hostile import bodies, fields, forms, frames, framing, targets, wire
from tests.traffic import CHAT, completion, leaks, records

pytestmark = pytest.mark.live

ROWS = framing.ROWS + targets.ROWS + fields.ROWS + bodies.ROWS + forms.ROWS
FIELDS = {"host", "user-agent", "accept", "accept-encoding", "x-request-id", "content-type", "content-length"}
"""What the model server's requests have, and nothing else."""
DICTATION = "{name: dictation, permit: [clinician], to: [transcribe], models: ['*'], opaque: permit, mask: safe-harbor}"


@pytest.fixture(scope="module")
def server():
    """A model server of this file's own, whose count nobody else disturbs."""
    with ModelServer() as running:
        running.script = Answer(completion())
        yield running


@pytest.fixture(scope="module")
def door(server, issuer, tmp_path_factory):
    """A gateway whose clinicians may also have speech written down, since that is asked for with forms."""
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("hostile-policy"))
    policy.write_text(policy.read_text().replace("\nrules:\n", f"\nrules:\n  - {DICTATION}\n", 1))
    with Gateway(server.url, policy, tmp_path_factory.mktemp("hostile")) as running:
        yield running


def onward(server, before, times, body):
    """What a row that passes sent to the model server, and that no other sent anything."""
    new = server.requests[before:]
    assert len(new) == times
    for request in new:
        assert request.method == "POST"
        assert request.target == (CHAT if body else forms.TARGET)
        assert {name for name, _ in request.headers} == FIELDS
        assert len(request.headers) == len(FIELDS)
        assert body or b'filename="recording.wav"' in request.body
        assert not body or request.body == orjson.dumps(orjson.loads(body))


@pytest.mark.parametrize("row", ROWS, ids=[row.sentence for row in ROWS])
def test_a_hostile_request(door, server, bearers, row):
    before = len(server.requests)
    bearer = bearers["dr.okafor"]
    got, closed = wire.exchange(door.port, row, bearer)
    assert leaks(got) == []
    wire.check(row, got, closed, bearer)
    onward(server, before, row.gets.count(200), row.onward)


@pytest.mark.parametrize("row", frames.ROWS, ids=[row.sentence for row in frames.ROWS])
def test_a_hostile_request_over_http2(door, server, bearers, row):
    before = len(server.requests)
    bearer = bearers["dr.okafor"]
    got = frames.exchange(door.port, row, bearer)
    assert leaks(frames.check(row, got, bearer)) == []
    onward(server, before, row.gets == 200, wire.BODY)


def test_nothing_of_them_came_late_or_shows(door, server, bearers):
    """Comes last in the file: what all of the above left at the model server, in the log and in the journal."""
    written = json.dumps(records(door.journal)) + door.said()
    assert leaks(written) == []
    assert not any(bearer in written for bearer in bearers.values())
    assert "crashed" not in written
    assert b"@BEARER@" not in server.received
