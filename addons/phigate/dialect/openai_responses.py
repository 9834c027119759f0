"""The OpenAI dialect's Responses: items of an output, and streams that say the same text up to five times.

A piece of a text and its repeats stand at one place of the response: their replacements are the same, and what a policy
says of the place holds for all of them. Nothing is kept by the server, so that nothing can be had again unmasked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phigate.dialect import openai
from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "openai-responses"

PROSE = openai.PROSE | {"delta", "code", "command", "stdout", "stderr", "logs", "output", "instructions", "name"}

_FRAME = frozenset(
    {"id", "object", "created_at", "completed_at", "model", "type", "role", "status", "phase", "item_id", "call_id"}
    | {"output_index", "content_index", "summary_index", "command_index", "annotation_index", "sequence_number"}
    | {"index", "start_index", "end_index", "service_tier", "truncation", "file_id", "container_id", "response_id"}
)

ANSWER = Fields(
    constant=_FRAME | {"name"},
    drop=(openai.ANSWER.drop - {"logprobs"}) | {"encrypted_content", "result", "file_data"},
    json=frozenset({"arguments"}),
    prose=PROSE,
    blank={"logprobs": []},
)
"""Keys of an answer that are not plain text. `result` is an image, encrypted content is a text that nobody here reads;
clients insist on `logprobs`, which repeat the text token by token."""

REQUEST = Fields(
    constant=_FRAME | {"tool_call_id", "detail"}, drop=frozenset(), json=frozenset({"arguments"}), prose=PROSE
)

ITEMS: Mapping[str, frozenset[str]] = {
    "message": frozenset({"role", "content"}),
    "reasoning": frozenset({"summary", "content"}),
    "function_call": frozenset({"call_id", "name", "arguments", "namespace"}),
    "function_call_output": frozenset({"call_id", "output", "name", "namespace"}),
    "custom_tool_call": frozenset({"call_id", "name", "input", "namespace"}),
    "custom_tool_call_output": frozenset({"call_id", "output"}),
    "mcp_call": frozenset({"name", "server_label", "arguments", "output", "error", "approval_request_id"}),
    "mcp_list_tools": frozenset({"server_label", "tools", "error"}),
    "mcp_approval_request": frozenset({"name", "server_label", "arguments"}),
    "mcp_approval_response": frozenset({"approval_request_id", "approve", "reason"}),
    "shell_call": frozenset({"call_id", "action", "environment"}),
    "shell_call_output": frozenset({"call_id", "output", "max_output_length"}),
    "local_shell_call": frozenset({"call_id", "action"}),
    "local_shell_call_output": frozenset({"call_id", "output"}),
    "apply_patch_call": frozenset({"call_id", "operation"}),
    "apply_patch_call_output": frozenset({"call_id", "output"}),
    "web_search_call": frozenset({"action"}),
}
"""Kinds of item whose whole content is text, and the members that they may have beside those of every item."""
_ALWAYS = frozenset({"type", "id", "status", "phase", "created_by", "caller"})
PARTS = openai.PARTS | {"summary_text", "reasoning_text"}
PART_KEYS = openai.PART_KEYS | {"logprobs"}
_TOLD = ("content", "summary", "output")
"""Members of an item that may be a list of parts."""
TOOLS = openai.TOOLS | {"namespace", "local_shell", "apply_patch"}
"""Kinds of tool that the caller runs."""
STORED = frozenset({"previous_response_id", "conversation", "background", "prompt"})


def unreadable(request: Any) -> bool:
    """Whether a request holds or asks for what no text detector can read: images, sound, files, encrypted content."""
    if not isinstance(request, dict) or not openai.OPAQUE.isdisjoint(request) or "modalities" in request:
        return True
    given, tools = request.get("input"), request.get("tools")
    if openai.asks_others(tools, TOOLS):
        return True
    if isinstance(given, list):
        return any(map(_opaque_item, given))
    return not (given is None or isinstance(given, str))


def _opaque_item(item: Any) -> bool:
    if not isinstance(item, dict):
        return True
    kind = item.get("type", "message")
    if not isinstance(kind, str) or kind not in ITEMS or not item.keys() <= ITEMS[kind] | _ALWAYS:
        return True
    return any(isinstance(item.get(key), list) and any(map(_opaque_part, item[key])) for key in _TOLD)


def _opaque_part(part: Any) -> bool:
    """Parts of content, or the streams of a shell's output, which have no kind."""
    if not isinstance(part, dict):
        return True
    if "type" not in part:
        return not part.keys() <= {"stdout", "stderr", "outcome", "created_by"}
    kind = part["type"]
    return not isinstance(kind, str) or kind not in PARTS or not part.keys() <= PART_KEYS


def stored(request: Any) -> bool:
    """Whether a request goes on from what the server keeps, names something of it, or asks it to keep the answer."""
    if not isinstance(request, dict):
        return False
    given = request.get("input")
    items = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    if (
        openai.keeps(request)
        or any(request.get(key) for key in STORED)
        or any(item.get("type") == "item_reference" for item in items)
    ):
        return True
    return openai.names_stored({key: value for key, value in request.items() if key != "metadata"})


def steers(request: Any) -> tuple[str, ...]:
    """The members of a request that cut what the model writes into pieces, or leave it certain words only."""
    if not isinstance(request, dict):
        return ()
    text = request.get("text")
    found = [key for key in sorted(openai.LIMITS) if few(request.get(key))]
    found += [key for key in sorted(openai.CHOOSING) if request.get(key)]
    found += ["text"] if isinstance(text, dict) and openai.chooses(text.get("format")) else []
    return (*found, *openai.tools_that_choose(request))


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off; clients raise what has an `error` in it."""
    error = {"message": message, "type": "gateway_error", "param": None, "code": code}
    return "error", {"type": "error", "code": code, "message": message, "param": None, "error": error}


_ITEM = ("output", "output_index")
_CONTENT = (*_ITEM, "content", "content_index")


def _life(name: str, member: str, at: tuple[str, ...], *, json: bool = False) -> Mapping[str, Event]:
    """The events of one kind of text: its pieces, and its whole told once more at its end."""
    piece = Event(whose=_places(at), under="delta", channel=name, at=at, json=frozenset({"delta"} if json else ()))
    return {
        f"response.{name}.delta": piece,
        f"response.{name}.done": Event(whose=_places(at), under=member, channel=name, at=at, whole=True, ends="own"),
    }


def _places(at: tuple[str, ...]) -> tuple[str, ...]:
    """The members of an event that say where it stands."""
    return tuple(step for step in at if step.endswith("_index"))


def _part(name: str, at: tuple[str, ...]) -> Mapping[str, Event]:
    whose = tuple(step for step in at if step.endswith("_index"))
    return {
        f"response.{name}.{what}": Event(whole=True, whose=whose, under="part", at=at) for what in ("added", "done")
    }


def _steps(name: str, *steps: str) -> Mapping[str, Event]:
    """Events that tell how far a tool has come, and nothing else."""
    return {f"response.{name}.{step}": Event(whole=True, whose=("output_index",), at=_ITEM) for step in steps}


_COMMAND = (*_ITEM, "action", "commands", "command_index")
_ANNOTATION = (*_CONTENT, "annotations", "annotation_index")

STREAM = Stream(
    "text/event-stream",
    {
        **{f"response.{step}": Event(whole=True, under="response") for step in ("created", "queued", "in_progress")},
        **{
            f"response.{step}": Event(whole=True, under="response", ends="all")
            for step in ("completed", "incomplete", "failed", "cancelled")
        },
        **{
            f"response.output_item.{step}": Event(whole=True, whose=("output_index",), under="item", at=_ITEM)
            for step in ("added", "done")
        },
        **_part("content_part", _CONTENT),
        **_part("reasoning_part", _CONTENT),
        **_part("reasoning_summary_part", (*_ITEM, "summary", "summary_index")),
        **_life("output_text", "text", (*_CONTENT, "text")),
        **_life("refusal", "refusal", (*_CONTENT, "refusal")),
        **_life("reasoning_text", "text", (*_CONTENT, "text")),
        **_life("reasoning_summary_text", "text", (*_ITEM, "summary", "summary_index", "text")),
        **_life("function_call_arguments", "arguments", (*_ITEM, "arguments"), json=True),
        **_life("mcp_call_arguments", "arguments", (*_ITEM, "arguments"), json=True),
        **_life("custom_tool_call_input", "input", (*_ITEM, "input")),
        **_life("code_interpreter_call_code", "code", (*_ITEM, "code")),
        **_life("shell_call_command", "command", _COMMAND),
        "response.shell_call_command.added": Event(whole=True, whose=_places(_COMMAND), under="command", at=_COMMAND),
        "response.shell_call_output_content.delta": Event(
            whose=("output_index", "command_index"),
            under="delta",
            channel="shell_call_output_content",
            at=(*_ITEM, "output", "command_index"),
        ),
        "response.shell_call_output_content.done": Event(
            whole=True,
            whose=("output_index", "command_index"),
            under="output",
            channel="shell_call_output_content",
            ends="own",
            at=(*_ITEM, "output"),
        ),
        "response.output_text.annotation.added": Event(
            whole=True, whose=_places(_ANNOTATION), under="annotation", at=_ANNOTATION
        ),
        **_life("audio.transcript", "transcript", ("transcript",)),
        "response.audio.delta": Event(opaque=True),
        "response.audio.done": Event(whole=True),
        "response.image_generation_call.partial_image": Event(opaque=True),
        **_steps("image_generation_call", "in_progress", "generating", "completed"),
        **_steps("file_search_call", "in_progress", "searching", "completed"),
        **_steps("web_search_call", "in_progress", "searching", "completed"),
        **_steps("code_interpreter_call", "in_progress", "interpreting", "completed"),
        **_steps("mcp_call", "in_progress", "completed", "failed"),
        **_steps("mcp_list_tools", "in_progress", "completed", "failed"),
        **_steps("compaction", "compacting"),
        "error": Event(fails=True),
    },
    failure,
    kind="type",
    named=True,
    done="[DONE]",
    counted="sequence_number",
)

ROUTES = (
    Route(
        "openai-responses",
        "POST",
        "/v1/responses",
        "chat",
        NAME,
        stream=STREAM,
        sets={"store": False},
        omits=openai.PER_TOKEN | {"include"},
    ),
)
"""Servers keep a response unless they are told not to; what may be included is encrypted, or told token by token."""

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=openai.error_body,
    unreadable=unreadable,
    stored=stored,
    steers=steers,
    usage=(("usage", "input_tokens"), ("usage", "output_tokens")),
    folds=True,
    frames=("response",),
    part_of=openai.NAME,
    adapters=openai.ADAPTERS,
)
