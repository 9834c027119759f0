"""What a caller sees of an answer in one dialect, whole or streamed, without a wire: trees in, trees out."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.codecs import JSON
from phigate.dialect.framing import FRAMINGS
from phigate.masking import Detectors, Memory, Secrets, Sight, Transformer
from phigate.masking.answer import MaskedStream, broken_off
from phigate.masking.answer import whole as whole_of
from phigate.policy.masks import Mask, Transform
from tests.traffic import CANARIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phigate.dialect.events import Stream
    from phigate.dialect.table import Dialect

DETECTORS = Detectors()
SECRETS = Secrets(key=b"k" * 32, epoch="1")
REDACT = Mask("redact", {"OTHER": Transform("redact")})
LEAN = Mask("lean", {"PERSON": Transform("surrogate"), "DATE_TIME": Transform("shift"), "OTHER": Transform("redact")})


def sight(mask: Mask = REDACT) -> Sight:
    shown = Transformer(REDACT, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, Transformer(mask, SECRETS, "ada"), shown, Memory())


def whole(dialect: Dialect, tree: Any, mask: Mask = REDACT) -> Any:
    """A whole answer as the caller gets it; nothing of it is for bystanders that the caller must not see."""
    body, _, shown, _ = whole_of(orjson.dumps(tree), sight(mask), dialect, JSON, {})
    assert spelled(shown) == []
    return orjson.loads(body)


def framed(stream: Stream, events: Iterable[Any], *, done: bool = True) -> bytes:
    framing = FRAMINGS[stream.media]
    end = framing.write(stream.done.encode(), "", "") if stream.done and done else b""
    return b"".join(framing.write(orjson.dumps(event), "", "") for event in events) + end


def unframed(stream: Stream, raw: bytes) -> list[Any]:
    reader = FRAMINGS[stream.media].reader()
    found = [event.data for event in [*reader.feed(raw), *reader.close()] if event.data]
    return [json.loads(data) for data in found if data != stream.done]


def streamed(dialect: Dialect, stream: Stream, data: bytes, cuts: Sequence[int] = (), mask: Mask = REDACT) -> bytes:
    """The bytes sent for these, which arrive cut at these places; ends as the gateway ends what it cannot read."""
    made = MaskedStream(sight(mask), dialect, stream)
    marks, out = [0, *cuts, len(data)], b""
    try:
        for start, end in itertools.pairwise(marks):
            out += made.feed(data[start:end])
        out += made.finish()
    except ValueError:
        out += broken_off(stream, "stream-broken-off", "broken off")
    assert spelled(made.take_shown()) == []
    return out


def told(dialect: Dialect, stream: Stream, events: Iterable[Any], mask: Mask = REDACT) -> list[Any]:
    """The events sent for these events."""
    return unframed(stream, streamed(dialect, stream, framed(stream, events), mask=mask))


def spelled(seen: Any) -> list[str]:
    """The canaries in what was sent, as it stands and as any client may put it together: every string, by its place."""
    events = seen if isinstance(seen, list) else [seen]
    places: dict[tuple[Any, ...], list[str]] = {}
    for event in events:
        for place, text in _strings(event, ()):
            places.setdefault(place, []).append(text)
    texts = [
        json.dumps(seen, ensure_ascii=False) if not isinstance(seen, str) else seen,
        *map("".join, places.values()),
    ]
    plain = [text.replace("\\", "") for text in texts]
    return [canary for canary in CANARIES if any(canary in text for text in [*texts, *plain])]


def _strings(node: Any, place: tuple[Any, ...]) -> Iterable[tuple[tuple[Any, ...], str]]:
    if isinstance(node, str):
        yield place, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, (*place, key))
            yield (*place, "keys"), key
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item, place)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield (*place, "number"), str(node)


def pieces(text: str, step: int = 3) -> list[str]:
    return [text[at : at + step] for at in range(0, len(text), step)]
