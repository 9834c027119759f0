"""Bodies in parts come together as their records go by; originals are opened with the key, in their place only."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tritonclient.grpc import service_pb2 as pb

from phigate.audit.backtest import kept as backtest_kept
from phigate.audit.backtest.kept import Kept, Taken
from phigate.capture.seal import Auditor, Place
from tests.audit.backtest.recordings import request, said

KEY = X25519PrivateKey.generate()
FILE = "gw-20261123T150405Z-0.jsonl"


def sealed(record, original, seq, part=None, side="caller"):
    place = Place(FILE, seq, record["exchange"], record["kind"], side, part)
    return record | {"seq": seq, "file": FILE, "sealed": Auditor(KEY.public_key()).seal(original, place)}


def part(of, number, body, side="caller"):
    told = {"kind": "part", "ts": of["ts"], "exchange": of["exchange"], "part": number, "side": side, "body": body}
    return told | {"file": FILE, "seq": number}


def test_a_body_that_stands_in_its_record_is_taken_from_there():
    assert Kept().take(request("Hello")) == Taken(said("Hello"))


def test_a_body_in_parts_comes_together():
    whole = json.dumps(said("Hello"))
    asked = request(body=None, parts=2)
    kept = Kept()
    kept.part(part(asked, 0, whole[:9]))
    kept.part(part(asked, 1, whole[9:]))
    assert kept.take(asked).body == said("Hello")
    assert kept.take(asked).body is None


def test_a_body_of_which_a_part_is_missing_is_none():
    asked = request(body=None, parts=2)
    kept = Kept()
    kept.part(part(asked, 1, "}"))
    assert kept.take(asked).body is None


def test_an_original_is_opened_with_its_key():
    taken = Kept(KEY).take(sealed(request("[PERSON]"), json.dumps(said("Jane")).encode(), 3))
    assert taken.body == said("[PERSON]")
    assert taken.tree == said("Jane")
    assert Kept().take(sealed(request(), b"{}", 3)).original is None


def test_an_original_in_parts_is_opened_in_order():
    asked = request(parts=2)
    kept = Kept(KEY)
    for number, piece in enumerate((b'{"a":', b"1}")):
        kept.part(sealed(part(asked, number, ""), piece, number, part=number))
    assert kept.take(asked | {"seq": 2, "file": FILE}).tree == {"a": 1}


@pytest.mark.parametrize(("change", "why"), [({"seq": 4}, "moved"), ({"sealed": "AAAA"}, "nothing that this version")])
def test_what_stays_closed_is_counted(change, why):
    kept = Kept(KEY)
    assert kept.take(sealed(request(), b"{}", 3) | change).original is None
    ((said_why, count),) = kept.closed.items()
    assert why in said_why
    assert count == 1


@pytest.mark.parametrize("original", [b"no JSON", b"[1]", None])
def test_an_original_that_is_no_object_has_no_tree(original):
    assert Taken(None, original).tree is None


def test_of_a_call_the_texts_are_told():
    asked = pb.ModelInferRequest(model_name="m")
    asked.inputs.add(name="t", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"a", b"b"])
    taken = Taken(None, asked.SerializeToString(), "kserve-grpc-infer")
    assert taken.tree == {"inputs": [{"data": ["a", "b"]}]}
    assert Taken(None, b"\xff", "kserve-grpc-infer").tree is None


def test_parts_of_answers_are_kept_for_their_originals_only():
    asked = request()
    closed, opening = Kept(), Kept(KEY)
    for kept in (closed, opening):
        kept.part(part(asked, 0, "text", side="model"))
    assert len(closed._parts) == 0
    assert len(opening._parts) == 1


def test_parts_without_their_record_are_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr(backtest_kept, "LIVE", 2)
    kept = Kept()
    for _ in range(5):
        kept.part(part(request(), 0, "{"))
    assert len(kept._parts) == 2
