"""The texts of a message's tensors: masked together, put back where they stood."""

import pytest
from tritonclient.grpc import service_pb2 as pb

from phigate.dialect import kserve_grpc as kserve
from phigate.dialect import protobuf
from phigate.masking.structure.paths import Paths
from phigate.rpc import texts
from phigate.rpc.texts import Misplaced
from tests.rpc.test_answers import sight
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks


def message(*rows):
    made = pb.ModelInferRequest(model_name="m")
    for name, values in rows:
        tensor = made.inputs.add(name=name, datatype="BYTES", shape=[len(values)])
        tensor.contents.bytes_contents.extend(v if isinstance(v, bytes) else v.encode() for v in values)
    made.inputs.add(name="n", datatype="FP32", shape=[1]).contents.fp32_contents.append(0.5)
    return kserve.infer(protobuf.read(made.SerializeToString(), kserve.REQUEST))


def test_texts_are_masked_where_they_stand_and_what_is_none_stays():
    asked = message(("text_input", ["Plain.", CANARY_TEXT]), ("image", [b"\xff\xd8"]))
    shown = texts.mask(asked, "inputs", sight())
    assert asked.tensors[0].texts[0] == b"Plain."
    assert leaks(asked.bytes()) == leaks(str(shown)) == []
    assert asked.tensors[1].texts == [b"\xff\xd8"]
    assert shown[1:] == [
        {"name": "image", "datatype": "BYTES", "data": [{"opaque": 2}]},
        {"name": "n", "datatype": "FP32", "numbers": 1},
    ]


def test_places_that_a_policy_names_are_hidden_and_the_others_masked_as_ever():
    asked = message(("a", ["plain words"]), ("b", [CANARY_TEXT]))
    shown = texts.mask(asked, "inputs", sight(Paths([("$.inputs[0].data[*]", "MRN")])))
    assert asked.tensors[0].texts == [b"[MRN]"]
    assert leaks(asked.bytes()) == leaks(str(shown)) == []


@pytest.mark.parametrize("path", ["$.inputs", "$.inputs[*].data"])
def test_what_is_hidden_as_a_whole_is_hidden_text_by_text(path):
    asked = message(("a", ["one", "two"]))
    texts.mask(asked, "inputs", sight(Paths([(path, "MRN")])))
    assert asked.tensors[0].texts == [b"[MRN]", b"[MRN]"]


class Elsewhere:
    """A sight that gives back another tree than it was given."""

    paths = object()

    def __init__(self, tree):
        self._tree = tree

    def both(self, _tree, _fields):
        return self._tree, self._tree


@pytest.mark.parametrize(
    "tree", [{}, {"inputs": "[MRN]"}, {"inputs": [{"data": []}]}, {"inputs": [{"data": ["a", "b"]}]}]
)
def test_texts_that_have_no_place_any_more_are_an_error(tree):
    with pytest.raises(Misplaced):
        texts.mask(message(("a", ["one"])), "inputs", Elsewhere(tree))


def test_a_parameter_is_read_with_its_name():
    assert texts.parameter("mrn", "77310042", sight()) == ("[MRN]", "[MRN]")
    assert leaks(str(texts.parameter("note", f"Patient: {CANARY_NAME}", sight(Paths([("$.x", "MRN")]))))) == []


def test_a_prompt_is_studied_as_a_whole():
    seen = sight()
    texts.study(message(("a", ["Patient: Zebulon Quartermaine"]), ("b", ["and Quartermaine again"])), seen)
    assert "Quartermaine" not in seen.for_bystanders("and Quartermaine again")
