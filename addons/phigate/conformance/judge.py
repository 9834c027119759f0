"""What came out of a gateway, judged: masked, dropped, emptied, refused, BROKEN or LEAK."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import probe, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.conformance.cases import Case

MASKED: Final = "masked"
DROPPED: Final = "dropped"
EMPTIED: Final = "emptied"
REFUSED: Final = "refused"
BROKEN: Final = "BROKEN"
LEAK: Final = "LEAK"
CUT: Final = "cut off"
"""How a fault begins that is the connection's end: behind an error that says so, it is a refusal."""
KINDS: Final = (MASKED, DROPPED, REFUSED, EMPTIED, BROKEN, LEAK)
"""From the best to the worst."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client received; header names in lower case; `fault` says how the exchange broke, if it did.

    `asked`: the model server was.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: str = ""
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` names identifiers by kind and faults by their sort; it holds nothing of the answer."""

    kind: str
    why: str = ""


def judge(case: Case, seen: Seen) -> Verdict:
    """The verdict on one answer: leaks count first, whatever else is wrong."""
    raw = [seen.body.decode("utf-8", "replace"), *(f"{name}: {value}" for name, value in seen.headers.items())]
    raw += read.asides(case.framing, seen.headers, seen.body)
    try:
        found = read.messages(case.framing, seen.headers, seen.body)
        fault = ""
    except read.Unreadable as unreadable:
        found, fault = [], str(unreadable)
    leaked = probe.found([*raw, *read.together(found)])
    if leaked:
        return Verdict(LEAK, ", ".join(sorted(leaked)))
    told = not _is_error(case) and any(_error(message) for message in found)
    if seen.fault and not (told and seen.fault.startswith(CUT)):
        return Verdict(BROKEN, seen.fault)
    if seen.status < 400 and not seen.asked:
        return Verdict(BROKEN, "answered without asking the model server")
    if seen.status >= 400 and (case.status < 400 or not seen.asked):
        return Verdict(REFUSED, str(seen.status)) if not fault or not seen.body.strip() else Verdict(BROKEN, fault)
    if fault:
        return Verdict(BROKEN, fault)
    if told:
        return Verdict(REFUSED, "an error in the answer")
    if fault := _ends(case, found) or _embedded(case, found) or _disagree(case, found):
        return Verdict(BROKEN, fault)
    return _left(case, [*raw, *read.together(found)])


def _is_error(case: Case) -> bool:
    return case.status >= 400 or "error" in case.channel


def _error(message: read.Message) -> bool:
    """As an object's member, as an event's type or name, or as the reason of Cohere's last event."""
    said = (_at(message.data, path) for path in ("error", "delta.error"))
    return bool(any(said) or _at(message.data, "type") == "error" or message.event == "error")


def _ends(case: Case, found: list[read.Message]) -> str:
    """Each end must be somewhere, the last one in the last message."""
    if not found:
        return "an empty answer"
    for path, value in case.ends:
        where = found[-1:] if (path, value) == case.ends[-1] else found
        if not any(_matches(_at(message.data, path), value) for message in where):
            return f"no {path or value}"
    return ""


def _matches(found: Any, value: Any) -> bool:
    return found is not None if value is None else bool(found == value)


def _at(node: Any, path: str) -> Any:
    for step in filter(None, path.split(".")):
        if isinstance(node, list):
            node = node[int(step)] if step.isdigit() and int(step) < len(node) else None
        else:
            node = node.get(step) if isinstance(node, dict) else None
    return node


def _embedded(case: Case, found: list[read.Message]) -> str:
    for path, text in read.channels(found).items():
        if path[-1] in case.embedded and text.strip() and text != probe.WITNESS:
            try:
                json.loads(text)
            except ValueError:
                return f"invalid JSON in {path[-1]}"
    return ""


def _disagree(case: Case, found: list[read.Message]) -> str:
    if not case.agree:
        return ""
    said = {_plain(text) for text in read.channels(found).values() if _innocent(text)}
    return "repeats that differ" if len(said) > 1 else ""


def _plain(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _innocent(text: str) -> bool:
    return any(part in probe.unescaped(text) for part in probe.INNOCENT)


def _left(case: Case, texts: list[str]) -> Verdict:
    """What is left of the channel, and of the rest."""
    texts = [spelling for text in texts for spelling in probe.spellings(text)]
    left = [part for part in case.innocent if any(part in text for text in texts)]
    if case.witnessed and not any(probe.WITNESS in text for text in texts):
        return Verdict(EMPTIED, "the rest of the answer is gone")
    if len(left) == len(case.innocent):
        return Verdict(MASKED)
    if not left and (case.witnessed or _is_error(case)):
        return Verdict(DROPPED)
    return Verdict(EMPTIED, "text around the identifiers is gone")
