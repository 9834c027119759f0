"""A model for MLServer that answers about invented patients; runs in MLServer's own environment, never in ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from mlserver import MLModel  # type: ignore[import-not-found]  # it is installed elsewhere
from mlserver.codecs import NumpyCodec, StringCodec  # type: ignore[import-not-found]  # as above
from mlserver.errors import InferenceError  # type: ignore[import-not-found]  # as above
from mlserver.types import InferenceResponse  # type: ignore[import-not-found]  # as above

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOTE = "Patient: Zebulon Quartermaine, MRN 77310042, SSN 536-22-8145. Stable on furosemide 40 mg."


def _asked(payload: Any) -> str:
    return " ".join(text for each in payload.inputs for text in StringCodec.decode_input(each))


class Notes(MLModel):  # type: ignore[misc]  # of an unknown class, for the same reason
    """Tells a note, whole or in pieces, with what it was asked; breaks where it is asked to."""

    async def load(self) -> bool:
        return True

    async def predict(self, payload: Any) -> Any:
        asked = _asked(payload)
        if "break" in asked:
            raise InferenceError(f"cannot read: {NOTE}")
        outputs = [
            StringCodec.encode_output("note", [f"{NOTE} Asked: {asked}"]),
            StringCodec.encode_output("mrn", ["77310042"]),
            NumpyCodec.encode_output("scores", np.array([0.25, 0.75])),
            NumpyCodec.encode_output("label", np.array([3])),
        ]
        if "tokens" in asked:
            outputs.append(NumpyCodec.encode_output("ids", np.arange(100, 120)))
        return InferenceResponse(model_name=self.name, outputs=outputs)

    async def predict_stream(self, payloads: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for payload in payloads:
            for at in range(0, len(NOTE), 4):
                piece = StringCodec.encode_output("note", [NOTE[at : at + 4]])
                yield InferenceResponse(model_name=self.name, outputs=[piece])
            if "break" in _asked(payload):
                raise InferenceError(f"cannot go on: {NOTE}")
