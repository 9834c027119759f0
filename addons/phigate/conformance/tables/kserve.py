"""KServe v2 over REST, as Triton, MLServer and KServe serve it: tensors, and Triton's generate routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import PIECE, SO_FAR, TURN, WHOLE, Ask, Case, in_base64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.conformance.cases import Said

DIALECT: Final = "kserve"
_INFER: Final = "/v2/models/{model}/infer"
_ENDS: Final = (("outputs", None),)


def _ask(**more: Any) -> Ask:
    inputs = [{"name": "text_input", "datatype": "BYTES", "shape": [1], "data": [TURN]}]
    return Ask(_INFER, {"inputs": inputs, **more})


def _tensor(name: str, *data: Any, kind: str = "BYTES", **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": kind, "shape": [len(data)], "data": list(data), **more}


def _answer(*outputs: Any, **more: Any) -> dict[str, Any]:
    return {"model_name": cases.MODEL, "model_version": "1", "outputs": list(outputs), **more}


_WITNESS: Final = _tensor("status", probe.WITNESS)
_SCORES: Final = _tensor("scores", 0.1, 0.9, kind="FP32")


def _infer() -> Iterator[Case]:
    ids = [f"{code}" for code in range(3)]
    listed = (
        ("BYTES", _answer(_tensor("text_output", WHOLE), _WITNESS, _SCORES)),
        ("BYTES, any name", _answer(_tensor("OUTPUT__7", WHOLE), _WITNESS)),
        ("BYTES, several elements", _answer(_tensor("t", probe.WITNESS, WHOLE, *ids), _WITNESS)),
        ("BYTES, nested", _answer(_tensor("t", [probe.WITNESS], [WHOLE], shape=[2, 1]), _WITNESS)),
        ("BYTES in base64", _answer(_tensor("t", WHOLE.written(in_base64)), _WITNESS)),
        ("BYTES that hold JSON", _answer(_tensor("t", WHOLE), _WITNESS)),
        ("tokens as INT64", _answer(_tensor("t", kind="INT64", shape=[140]) | {"data": _ids()}, _WITNESS)),
        (
            "octets as UINT8",
            _answer(_tensor("t", kind="UINT8", shape=[140]) | {"data": WHOLE.written(cases.octets)}, _WITNESS),
        ),
        ("parameters", _answer(_WITNESS, parameters={"note": WHOLE})),
        ("parameters of a tensor", _answer(_WITNESS | {"parameters": {"note": WHOLE}})),
        ("a field nobody knows", _answer(_WITNESS, novel={"note": WHOLE})),
        ("id", _answer(_WITNESS, id=WHOLE)),
    )
    for channel, body in listed:
        spoken = cases.DOCUMENT if "JSON" in channel else probe.TEXT
        yield Case(DIALECT, channel, _ask(), "json", (body,), ends=_ENDS, spoken=spoken)
    binary = _ask(parameters={"binary_data_output": True})
    for channel, body in listed[:3]:
        outputs = [output for output in body["outputs"] if output["datatype"] == "BYTES"]
        yield Case(DIALECT, f"{channel}, binary", binary, "tensors", (body | {"outputs": outputs},), ends=_ENDS)
    yield Case(DIALECT, "error", _ask(), "json", ({"error": WHOLE},), status=400)


def _ids() -> Said:
    return WHOLE.written(cases.ids)


def _generate() -> Iterator[Case]:
    ask = Ask("/v2/models/{model}/generate", {"text_input": TURN, "parameters": {"stream": False}})
    frame = {"model_name": cases.MODEL, "model_version": "1"}
    output = (("text_output", None),)
    yield Case(DIALECT, "generate text_output", ask, "json", (frame | {"text_output": WHOLE},), ends=output)
    other = frame | {"text_output": probe.WITNESS, "other_output": WHOLE}
    yield Case(DIALECT, "generate, another output", ask, "json", (other,), ends=output)
    context = frame | {"text_output": probe.WITNESS, "output_ids": _ids()}
    yield Case(DIALECT, "generate ids", ask, "json", (context,), ends=output)
    yield Case(DIALECT, "generate error", ask, "json", ({"error": WHOLE},), status=400)
    # nothing but the end of the body ends this stream
    stream = Ask("/v2/models/{model}/generate_stream", {"text_input": TURN, "parameters": {"stream": True}})
    each = frame | {"text_output": PIECE}
    yield Case(DIALECT, "generate_stream, a token an event", stream, "sse", (), (each,))
    yield Case(DIALECT, "generate_stream, cumulative", stream, "sse", (), (frame | {"text_output": SO_FAR},))
    begin = frame | {"text_output": probe.WITNESS}
    unknown = frame | {"text_output": "", "other_output": PIECE}
    yield Case(DIALECT, "generate_stream, another output", stream, "sse", (begin,), (unknown,))
    events = (frame | {"text_output": "The"}, {"error": WHOLE})
    yield Case(DIALECT, "generate_stream error", stream, "sse", events)


CASES: Final = tuple(each for part in (_infer, _generate) for each in part())
