"""A notice as a message of Slack's (Block Kit): the same data, as people read it. Pure.

- What strangers wrote cannot become a link, a mention or a heading, nor turn the order of reading: `&`, `<` and `>`
  are escaped, what is invisible is replaced, and it stands in blocks whose text is plain, a field on one line.
- Every text is cut to what Slack takes (150 characters of a heading, 2000 of a field, 3000 of a section).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

APPROVE: Final = "phigate-approve"
REJECT: Final = "phigate-reject"
OPEN: Final = "phigate-open"
"""The `action_id` of the buttons; the `value` of the first two is the ticket's id."""
_HEADS: Final[Mapping[str, str]] = {
    "ticket.opened": "Somebody asks for approval",
    "ticket.approved": "Approved",
    "ticket.rejected": "Rejected",
    "ticket.revoked": "Taken back",
    "ticket.expired": "Nobody answered in time",
    "break_glass.used": "Break-glass was used",
    "review.signed": "A use of break-glass was reviewed",
    "review.overdue": "A use of break-glass waits too long for its review",
}
_WRITTEN: Final = (("justification", "Why"), ("unmask", "Unmasked because"), ("reason", "Emergency"))
FIELD, SECTION = 2000, 3000


def message(event: str, data: Mapping[str, Any], *, buttons: bool) -> dict[str, Any]:
    """The message; with `buttons` it can be answered where it is read."""
    head = _HEADS[event]
    said = [{"type": "header", "text": _plain(head)}, {"type": "section", "fields": list(_fields(data))}]
    said += [_section(f"{label}: {data[name]}") for name, label in _WRITTEN if data.get(name)]
    said += [_section(_heard(each)) for each in data["said"]]
    if data.get("prompt") is not None or data.get("prompt_left_out"):
        said.append(_section(_read(data.get("prompt"))))
    actions = list(_buttons(data, buttons=buttons))
    if actions:
        said.append({"type": "actions", "elements": actions})
    return {"text": escaped(f"{head} ({data.get('ticket') or data['exchange']})"), "blocks": said}


def reply(text: str, *, everybody: bool = False) -> dict[str, Any]:
    """What is said back to somebody who pressed a button: in place of the message, or to them alone."""
    said: dict[str, Any] = {"text": escaped(text)}
    return said | (
        {"replace_original": True} if everybody else {"response_type": "ephemeral", "replace_original": False}
    )


def escaped(text: str) -> str:
    """A text that Slack shows as it is (Slack: "Formatting text for app surfaces"); what is invisible is seen to be."""
    seen = "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)
    return seen.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fields(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    asked = f"{data['asked_by']['id']} ({data['asked_by']['issuer']})"
    call = data["call"]
    needs = data.get("approvals")
    for label, value in (
        ("Who", asked),
        ("Rule", data["rule"]),
        ("What", ", ".join(data.get("action", ()))),
        ("Model", data.get("model")),
        ("Call", " ".join(filter(None, (call.get("method"), call.get("target") or call.get("route"))))),
        ("Deploys", _pairs(data.get("deployment"))),
        ("From", _pairs(data.get("context"))),
        ("Approvals", f"{needs['given']} of {needs['needed']}" if needs else None),
        ("Gives", _gives(data["grant"]) if "grant" in data else None),
        ("Until", data.get("until")),
        ("Review due", data.get("due")),
    ):
        if value:
            yield _plain(" ".join(f"{label}: {value}".split()), FIELD)


def _pairs(said: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (said or {}).items())


def _gives(grant: Mapping[str, Any]) -> str:
    uses = grant["uses"]
    often = "as often as they like" if uses is None else "once" if uses == 1 else f"{uses} times"
    what = "this very request" if grant["bound"] else "requests of this kind"
    only = f", at these hours: {grant['hours']}" if grant["hours"] else ""
    return f"{what}, {often}, for {_span(grant['seconds'])}{only}"


def _span(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.0f} seconds"


def _heard(said: Mapping[str, Any]) -> str:
    comment = f": {said['comment']}" if said.get("comment") else ""
    verdict = "yes" if said["verdict"] == "approve" else "no"
    return f"{said['by']['id']} ({said['by']['issuer']}) said {verdict}{comment}"


def _read(prompt: Any) -> str:
    """A prompt, or that it is too long: nobody says yes to the beginning of one."""
    text = f"Prompt: {prompt if isinstance(prompt, str) else json.dumps(prompt, indent=1, ensure_ascii=False)}"
    return text if prompt is not None and len(escaped(text)) <= SECTION else "The prompt is too long to be shown here."


def _buttons(data: Mapping[str, Any], *, buttons: bool) -> Iterator[dict[str, Any]]:
    if buttons:
        # Nobody says yes by a slip, and whoever does reads once more what it gives.
        sure = {
            "title": _plain("Say yes?"),
            "text": _plain(f"It gives {_gives(data['grant'])}.", 300),
            "confirm": _plain("Say yes"),
            "deny": _plain("Not now"),
        }
        yield _button("Approve", APPROVE, style="primary", value=data["ticket"], confirm=sure)
        yield _button("Reject", REJECT, style="danger", value=data["ticket"])
    if "link" in data:
        yield _button("Look at it", OPEN, url=data["link"])


def _button(text: str, action: str, **more: Any) -> dict[str, Any]:
    return {"type": "button", "text": _plain(text), "action_id": action} | more


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text, SECTION)}


def _plain(text: str, most: int = 150) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _cut(text: str, most: int) -> str:
    """An escaped text of at most so many characters, none of them half of an escape."""
    if len(whole := escaped(text)) <= most:
        return whole
    kept, left = "", most - 1
    for each in map(escaped, text):
        if (left := left - len(each)) < 0:
            break
        kept += each
    return f"{kept}\u2026"
