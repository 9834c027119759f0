"""`phigate flows`: what of a journal becomes a file that mitmproxy opens."""

import io as streams
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from mitmproxy.io import FlowReader

from phigate.capture.seal import Auditor, Place, pem_of
from tests.audit.backtest.recordings import request, response
from tests.command import phigate
from tests.journal.samples import put

OPENED = ("opened", {"software": "0", "file": "gw-20261123T150405Z-0.jsonl", "follows": None})
NAME = "gw-20261123T150405Z-0"


def fields(record):
    return record["kind"], {name: value for name, value in record.items() if name not in {"kind", "ts"}}


@pytest.fixture
def journal(tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    first, second = request() | {"session": "se-1"}, request() | {"session": "se-2"}
    put(folder, NAME, OPENED, *map(fields, [first, response(first), second, response(second)]))
    return folder, first["exchange"], second["exchange"]


def flows_in(raw):
    return [flow.id for flow in FlowReader(streams.BytesIO(raw)).stream()]


def run(journal, *words):
    return phigate("flows", "--journal", journal, *words)


def looks(folder):
    lines = [line for path in folder.glob("*.cli-*.jsonl") for line in path.read_bytes().splitlines()]
    return [record["about"] for record in map(json.loads, lines) if record["kind"] == "look"]


def test_an_exchange_becomes_a_flow_for_its_owner_alone(journal, tmp_path):
    folder, first, _ = journal
    result = run(folder, first, "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (0, f"1 flow in {tmp_path / 'out'}\n")
    assert flows_in((tmp_path / "out").read_bytes()) == [first]
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    assert looks(folder) == [{"id": first}]


SELECTED = [
    ("a session", ["se-2"], 1),
    ("a time", ["--since", "2026-11-23"], 2),
    ("a subject", ["--subject", "ada"], 2),
    ("a model and a session", ["se-1", "--model", "m"], 1),
]


@pytest.mark.parametrize(("sentence", "words", "count"), SELECTED, ids=[case[0] for case in SELECTED])
def test_what_is_meant_becomes_flows(journal, tmp_path, sentence, words, count):
    result = run(journal[0], *words, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert len(flows_in((tmp_path / "out").read_bytes())) == count


def test_flows_may_go_on_through_a_pipe(journal):
    result = run(journal[0], "se-1", "-o", "-")
    assert flows_in(result.stdout_bytes) == [journal[1]]


def test_where_nothing_is_found_no_file_is_left(journal, tmp_path):
    result = run(journal[0], "se-3", "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (1, "the journal knows no such exchange\n")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_there_stays_as_it_is(journal, tmp_path):
    (tmp_path / "out").write_text("mine")
    result = run(journal[0], "se-1", "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (2, f"{tmp_path / 'out'}: file exists\n")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_disk_that_is_full_is_told_and_leaves_no_file(journal, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("phigate.host.recordings.drawn.write", full)
    result = run(journal[0], "se-1", "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (2, f"{tmp_path / 'out'}: no space left on device\n")
    assert not (tmp_path / "out").exists()


def test_what_is_no_id_is_neither_looked_for_nor_recorded(journal, tmp_path):
    result = run(journal[0], "Zebulon Quartermaine", "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (2, "this is no id of a session or of an exchange\n")
    assert (looks(journal[0]), (tmp_path / "out").exists()) == ([], False)


SECRET = b'{"model": "m", "messages": [{"role": "user", "content": "How is Zebulon Quartermaine?"}]}'


@pytest.fixture
def sealed(tmp_path):
    """A journal whose originals only its auditor opens, and the key."""
    private = X25519PrivateKey.generate()
    (tmp_path / "auditor.pem").write_bytes(pem_of(private))
    folder = tmp_path / "sealed"
    folder.mkdir()
    asked = request(findings={"PERSON": 1}) | {"session": "se-1", "exchange": "ex-1"}
    place = Place(f"{NAME}.jsonl", 1, "ex-1", "request", "caller")
    asked["sealed"] = Auditor(private.public_key()).seal(SECRET, place)
    put(folder, NAME, OPENED, fields(asked), fields(response(asked, body={"said": "[PERSON]"})))
    return folder, tmp_path / "auditor.pem"


def test_an_auditor_gets_the_originals_and_is_on_record(sealed, tmp_path):
    folder, key = sealed
    result = run(folder, "se-1", "-o", tmp_path / "out", "--key", key, "--reason", "complaint 7")
    assert result.exit_code == 0, result.stderr
    (flow,) = FlowReader(streams.BytesIO((tmp_path / "out").read_bytes())).stream()
    assert json.loads(flow.request.content) == json.loads(SECRET)
    assert flow.response.content == b""
    assert "NOT MASKED" in flow.comment
    assert flow.metadata["phigate"]["made"] == "unsealed"
    assert looks(folder) == [{"id": "se-1", "sealed": "opened"}]


def test_without_the_key_the_same_flow_is_masked(sealed, tmp_path):
    run(sealed[0], "se-1", "-o", tmp_path / "out")
    assert b"Quartermaine" not in (tmp_path / "out").read_bytes()


def test_a_moved_record_stays_closed_and_is_told(sealed, tmp_path):
    folder, key = sealed
    (file,) = folder.glob("gw-*.jsonl")
    file.rename(file.with_name("gw-20261123T150406Z-0.jsonl"))
    result = run(folder, "se-1", "-o", tmp_path / "out", "--key", key, "--reason", "complaint 7")
    assert "sealed for another place" in result.stderr
    assert b"Quartermaine" not in (tmp_path / "out").read_bytes()


def test_without_a_reason_or_a_record_nothing_is_opened(sealed, tmp_path, monkeypatch):
    folder, key = sealed
    assert run(folder, "se-1", "-o", tmp_path / "out", "--key", key).exit_code == 2

    def closed(*_args, **_named):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("phigate.audit.look._write", closed)
    result = run(folder, "se-1", "-o", tmp_path / "out", "--key", key, "--reason", "complaint 7")
    assert result.exit_code == 2
    assert "nothing is opened" in result.stderr
    assert not (tmp_path / "out").exists()


def test_everything_at_once_is_asked_for_by_name(journal, tmp_path):
    result = run(journal[0], "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "say which" in result.stderr


def test_a_look_that_cannot_be_recorded_is_told(journal, tmp_path, monkeypatch):
    def closed(*_args, **_named):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("phigate.audit.look._write", closed)
    result = run(journal[0], "se-1", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "this look is not on record" in result.stderr
