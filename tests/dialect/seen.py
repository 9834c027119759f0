"""What a caller gets of an answer, whole or streamed and cut anywhere, with the masks of these tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.codecs import JSON
from phigate.masking import Detectors, Memory, Secrets, Sight, Transformer
from phigate.masking.answer import MaskedStream
from phigate.masking.answer import whole as whole_of
from phigate.policy.masks import Mask, Transform
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.dialect.codecs import Codec
    from phigate.dialect.events import Stream
    from phigate.dialect.table import Dialect
    from phigate.masking.structure.paths import Paths

DETECTORS = Detectors()
SECRETS = Secrets(key=b"k" * 32, epoch="1")
REDACT = Mask("shown", {"OTHER": Transform("redact")})
FIELDS = {"patient_name": CANARY_NAME, "mrn": CANARY_MRN, "note": f"SSN {CANARY_SSN}, furosemide 40 mg."}
ARGUMENTS = json.dumps(FIELDS)
NOTE = CANARY_TEXT
PIECES = ("Quartermaine", "Zebulon", "77310042", "8145", "536-22")


def sight(paths: Paths | None = None) -> Sight:
    return Sight(
        DETECTORS, SECRETS, Transformer(REDACT, SECRETS, "a"), Transformer(REDACT, SECRETS, "a"), Memory(), paths
    )


def prompting() -> Sight:
    """What masks a prompt: it reads each text knowing all the others."""
    shown = Transformer(REDACT, SECRETS, "a")
    return Sight(DETECTORS, SECRETS, shown, shown)


def onward(dialect: Dialect, request: Any) -> Any:
    """What of a request goes to a model that is not told whom it is about."""
    asking = prompting()
    asking.study(request, dialect.shown)
    return asking.tree_for_caller(request, dialect.request)


def whole(dialect: Dialect, tree: Any, paths: Paths | None = None, codec: Codec = JSON) -> Any:
    body = tree if isinstance(tree, bytes) else orjson.dumps(tree)
    made, _, _, _ = whole_of(body, sight(paths), dialect, codec, {})
    return orjson.loads(made) if codec.media == "application/json" else made.decode()


def framed(stream: Stream, events: Iterable[Any]) -> bytes:
    out = b""
    for event in events:
        name = b"event: " + event[stream.kind].encode() + b"\n" if stream.named else b""
        out += name + b"data: " + orjson.dumps(event) + b"\n\n"
    return out + (f"data: {stream.done}\n\n".encode() if stream.done else b"")


def told(
    dialect: Dialect, stream: Stream, data: bytes, *, step: int = 0, paths: Paths | None = None, opaque: bool = False
) -> tuple[list[Any], str]:
    """The events that a caller gets of a stream that arrives in parts of `step` bytes, and what bystanders see."""
    masked = MaskedStream(sight(paths), dialect, stream, opaque=opaque)
    parts = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    raw = b"".join(masked.feed(part) for part in parts) + masked.finish()
    return list(_read(raw)), masked.take_shown()


def _read(raw: bytes) -> Iterator[Any]:
    for line in raw.split(b"\n"):
        if line.startswith(b"data: {"):
            yield orjson.loads(line[6:])


def hidden(*made: Any) -> bool:
    """Whether no piece of who it is about stands in something, in whatever form its JSON is written."""
    text = " ".join(each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in made)
    return not any(piece in text for piece in PIECES)


def letters(text: str, size: int = 3) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]
