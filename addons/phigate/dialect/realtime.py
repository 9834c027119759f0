"""The realtime dialect: OpenAI's events on a WebSocket for conversations, and vLLM's for transcription.

Audio cannot be read: a rule that hides anything lets it through, either way, only with `opaque: permit`. The server's
own names of events are replaced by a count, since every event has another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phigate.dialect import openai
from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.talk import Talk
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "openai-realtime"

_IDS = frozenset({"id", "event_id", "response_id", "item_id", "previous_item_id", "conversation_id", "call_id"})
_PROSE = frozenset({"delta", "text", "transcript", "message", "instructions", "output", "content"})

ANSWER = Fields(
    constant=_IDS
    | {"type", "object", "status", "role", "model", "name", "code", "param", "reason", "voice", "format", "rate"}
    | {"output_index", "content_index", "audio_start_ms", "audio_end_ms", "created_at", "expires_at", "eagerness"}
    | {"tool_choice", "effort", "conversation", "language", "limit", "remaining", "reset_seconds"}
    | {"max_output_tokens", "max_response_output_tokens"},
    drop=frozenset({"audio", "logprobs", "bytes", "tokens", "image_url", "obfuscation", "client_secret"}),
    json=frozenset({"arguments"}),
    prose=_PROSE,
)
"""Keys of the server's events that are not plain text. `audio` is sound in an item and, in a session, its settings."""

REQUEST = Fields(
    constant=_IDS
    | {"type", "object", "status", "role", "model", "voice", "format", "rate", "tool_choice", "detail"}
    | {"max_output_tokens", "max_response_output_tokens", "content_index", "audio_end_ms"},
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=_PROSE,
)

_TEXT = ("response_id", "item_id", "output_index", "content_index")
_CALL = ("response_id", "item_id", "output_index")
_HEARD = ("item_id", "content_index")


def _text(channel: str, *kinds: str) -> dict[str, Event]:
    """A text of an answer that arrives in pieces and is then told once more."""
    piece = Event(whose=_TEXT, channel=channel)
    told = Event(whose=_TEXT, channel=channel, ends="own", whole=True)
    return {f"{kind}.delta": piece for kind in kinds} | {f"{kind}.done": told for kind in kinds}


_WHOLE = Event(whole=True)
_SOUND = Event(opaque=True, raw=frozenset({"delta"}))

_SESSION = {
    "error": Event(whole=True, tells_error=True),
    **dict.fromkeys(("session.created", "session.updated"), _WHOLE),
    **dict.fromkeys(("transcription_session.created", "transcription_session.updated"), _WHOLE),
    **dict.fromkeys(("input_audio_buffer.committed", "input_audio_buffer.cleared"), _WHOLE),
    **dict.fromkeys(("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"), _WHOLE),
    "input_audio_buffer.timeout_triggered": _WHOLE,
    "rate_limits.updated": _WHOLE,
    "conversation.item.input_audio_transcription.delta": Event(whose=_HEARD, channel="heard"),
    "conversation.item.input_audio_transcription.segment": Event(
        whose=_HEARD, channel="segments", told=frozenset({"speaker"})
    ),
    "conversation.item.input_audio_transcription.completed": Event(whose=_HEARD, ends="under", whole=True),
    "conversation.item.input_audio_transcription.failed": Event(
        whose=_HEARD, ends="under", whole=True, tells_error=True
    ),
    **dict.fromkeys(("conversation.item.created", "conversation.item.added", "conversation.item.done"), _WHOLE),
}
EVENTS = {
    **_SESSION,
    "conversation.created": _WHOLE,
    **dict.fromkeys(("conversation.item.deleted", "conversation.item.truncated"), _WHOLE),
    "conversation.item.retrieved": _WHOLE,
    "response.created": _WHOLE,
    "response.output_item.added": _WHOLE,
    "response.content_part.added": _WHOLE,
    **_text("text", "response.output_text", "response.text"),
    **_text("said", "response.output_audio_transcript", "response.audio_transcript"),
    **dict.fromkeys(("response.output_audio.delta", "response.audio.delta"), _SOUND),
    **dict.fromkeys(("response.output_audio.done", "response.audio.done"), _WHOLE),
    "response.function_call_arguments.delta": Event(whose=_CALL, channel="call", json=frozenset({"delta"})),
    "response.function_call_arguments.done": Event(whose=_CALL, channel="call", ends="own", whole=True),
    "response.content_part.done": Event(whose=_TEXT, ends="under", whole=True),
    "response.output_item.done": Event(whose=("response_id", "item.id"), ends="under", whole=True),
    "response.done": Event(whose=("response.id",), ends="under", whole=True),
}
"""What a server says in a conversation; calls of tools that the server makes itself are not among it."""

HEARD = {
    **_SESSION,
    "transcription.delta": Event(channel="heard", keep=frozenset({"type"})),
    "transcription.done": Event(channel="heard", ends="own", whole=True, again=True),
}
"""What a server says that only transcribes."""


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that tells why the gateway ends a connection."""
    error = {"type": "gateway_error", "code": code, "message": message, "param": None, "event_id": None}
    return "error", {"type": "error", "event_id": "event_end", "error": error}


def _stream(events: dict[str, Event]) -> Stream:
    return Stream("websocket", events, failure, kind="type", counted="event_id", counts_as="event_")


# -- what a caller says -----------------------------------------------------------------------------------------------

_PARTS = frozenset({"input_text", "text", "output_text"})
_PART_KEYS = frozenset({"type", "text"})
_ITEMS = {
    "message": frozenset({"type", "id", "object", "status", "role", "content"}),
    "function_call": frozenset({"type", "id", "object", "status", "call_id", "name", "arguments"}),
    "function_call_output": frozenset({"type", "id", "object", "status", "call_id", "output"}),
    "item_reference": frozenset({"type", "id"}),
}
_OPAQUE = frozenset({"prompt", "image", "image_url", "file", "file_id", "file_data"})
"""Members of a session's or an answer's settings that name what is no text of this message."""


def unreadable(message: Any) -> bool:
    """Whether a message holds, or asks for, content that is no text."""
    if message.get("audio") is not None:
        return True
    items = [message["item"]] if "item" in message else []
    for settings in _settings(message):
        asked = settings.get("input")
        items += asked if isinstance(asked, list) else [asked] if asked is not None else []
        if not _OPAQUE.isdisjoint(settings) or _foreign_tool(settings.get("tools")):
            return True
    return any(map(_opaque_item, items))


def _settings(message: Any) -> Iterator[dict[str, Any]]:
    for key in ("session", "response"):
        found = message.get(key)
        if isinstance(found, dict):
            yield found


def _foreign_tool(tools: Any) -> bool:
    """Whether a tool is one that the server itself would call."""
    if tools is None:
        return False
    return not isinstance(tools, list) or any(
        not isinstance(tool, dict) or tool.get("type", "function") != "function" for tool in tools
    )


def _opaque_item(item: Any) -> bool:
    if not isinstance(item, dict):
        return True
    kind = item.get("type", "message")
    known = _ITEMS.get(kind) if isinstance(kind, str) else None
    if known is None or not item.keys() <= known:
        return True
    content = item.get("content")
    return content is not None and (not isinstance(content, list) or any(map(_opaque_part, content)))


def _opaque_part(part: Any) -> bool:
    if not isinstance(part, dict) or not part.keys() <= _PART_KEYS:
        return True
    kind = part.get("type")
    return not isinstance(kind, str) or kind not in _PARTS


_FEW = 2
"""Tokens of an answer with which it can be asked out letter by letter."""


def steers(message: Any) -> tuple[str, ...]:
    """Members that decide word by word what the model writes."""
    named = ("max_output_tokens", "max_response_output_tokens")
    return tuple(
        key
        for settings in _settings(message)
        for key in named
        if isinstance(settings.get(key), int | float) and settings[key] <= _FEW
    )


def models_named(message: Any) -> Iterator[tuple[str | None, Any]]:
    """The models that a message names: the connection's own, and one that transcribes what is heard."""
    if "model" in message:
        yield None, message["model"]
    for settings in _settings(message):
        if "model" in settings:
            yield None, settings["model"]
        audio = settings.get("audio")
        heard = audio.get("input") if isinstance(audio, dict) else None
        for place, key in ((settings, "input_audio_transcription"), (heard, "transcription")):
            other = place.get(key) if isinstance(place, dict) else None
            if isinstance(other, dict) and "model" in other:
                yield "transcribe", other["model"]


_SAYS = frozenset(
    {"session.update", "transcription_session.update"}
    | {"input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"}
)
_APPEND = {"input_audio_buffer.append": frozenset({"audio"})}
_PROTOCOLS = ("realtime", "openai-beta.realtime-v1")

CONVERSATION = Talk(
    _SAYS
    | {"conversation.item.create", "conversation.item.retrieve", "conversation.item.truncate"}
    | {"conversation.item.delete", "response.create", "response.cancel", "output_audio_buffer.clear"},
    raw=_APPEND,
    names=models_named,
    protocols=_PROTOCOLS,
)
TRANSCRIPTION = Talk(_SAYS, raw=_APPEND, names=models_named, protocols=_PROTOCOLS)

_PATH = "/v1/realtime"
ROUTES = (
    Route(
        *("realtime", "GET", f"{_PATH}?model={{model}}", "chat", NAME),
        has_body=False,
        model_key=None,
        stream=_stream(EVENTS),
        talk=CONVERSATION,
    ),
    Route(
        *("realtime-transcription", "GET", _PATH, "transcribe", NAME),
        has_body=False,
        model_key=None,
        stream=_stream(HEARD),
        talk=TRANSCRIPTION,
    ),
    Route(
        *("realtime-intent", "GET", f"{_PATH}?intent=transcription", "transcribe", NAME),
        has_body=False,
        model_key=None,
        stream=_stream(HEARD),
        talk=TRANSCRIPTION,
    ),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=openai.error_body,
    unreadable=unreadable,
    steers=steers,
    part_of=openai.NAME,
    folds=True,
    usage=(("response", "usage", "input_tokens"), ("response", "usage", "output_tokens")),
)
