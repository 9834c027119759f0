"""The OpenAI dialect's speech to text: a form with a recording in, a transcript out, whole, streamed or as subtitles.

The recording is content that nobody reads here: only a rule with `opaque: permit` lets it through.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phigate.dialect import openai
from phigate.dialect.cues import SAID, SUBTITLES, TRANSCRIPT
from phigate.dialect.events import Event, Stream
from phigate.dialect.multipart import Multipart
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.dialect.codecs import Codec

NAME = "openai-audio"

_PROSE = openai.PROSE | {"delta", "word", "segments" + SAID, "words" + SAID}

ANSWER = Fields(
    constant=frozenset(
        {"id", "object", "created", "model", "index", "finish_reason", "role", "type", "task", "language", "form"}
        | {"start", "end", "seek", "duration", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob"}
    ),
    drop=openai.ANSWER.drop,
    json=frozenset(),
    prose=_PROSE,
)
REQUEST = Fields(
    constant=frozenset(
        {"model", "filename", "type", "size", "language", "response_format", "stream", "temperature"}
        | {"timestamp_granularities[]"}
    ),
    drop=frozenset(),
    json=frozenset(),
    prose=_PROSE,
)

FORM = Multipart(
    file="file",
    called="recording",
    endings=frozenset({"flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "opus", "wav", "webm", "aac"}),
    switches=frozenset({"stream"}),
)


def unreadable(_request: Any) -> bool:
    """A recording never can be read."""
    return True


STREAM = Stream(
    "text/event-stream",
    {
        "": openai.CHOICES,  # vLLM streams a transcript as it streams a chat
        "transcript.text.delta": Event(channel="text"),
        "transcript.text.done": Event(whole=True, ends="all"),
    },
    openai.failure,
    kind="type",
    done="[DONE]",
)

_READS: Mapping[str, Codec] = MappingProxyType({"multipart/form-data": FORM})
_ANSWERS: Mapping[str, Codec] = MappingProxyType(
    {
        "application/json": TRANSCRIPT,
        "text/plain": SUBTITLES,
        "text/vtt": SUBTITLES,
        "application/x-subrip": SUBTITLES,
    }
)
_OMITTED = openai.PER_TOKEN | {"include", "include[]"}

ROUTES = (
    Route(
        "openai-transcriptions",
        "POST",
        "/v1/audio/transcriptions",
        "transcribe",
        NAME,
        stream=STREAM,
        reads=_READS,
        answers=_ANSWERS,
        omits=_OMITTED,
    ),
    Route(
        "openai-translations",
        "POST",
        "/v1/audio/translations",
        "transcribe",
        NAME,
        stream=STREAM,
        reads=_READS,
        answers=_ANSWERS,
        omits=_OMITTED,
    ),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=openai.error_body,
    unreadable=unreadable,
    usage=(("usage", "input_tokens"), ("usage", "output_tokens")),
    part_of=openai.NAME,
    bytes_in=frozenset({"content"}),
)
