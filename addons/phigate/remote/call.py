"""[I/O] The request that changes a model, sent through the gateway: first as a question, then in earnest, once.

- The question (`phi-ask`) never goes on to the model: it gets a ticket, or the word that nobody has to say yes.
- In earnest it is sent again only where it cannot have been let through: nobody was reached, or the gateway says so.
"""

from __future__ import annotations

import json
import re
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from phigate.audit.questions.show import plain
from phigate.exchange import ID
from phigate.identity.fetch import trusted
from phigate.remote.client import REFUSED, UNREACHABLE, USAGE, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FORM: Final = re.compile(r"(POST|PUT|DELETE|GET) (/[!-~]{0,700})")
CONNECT: Final = 10.0
ANSWER: Final = 3600.0
"""Seconds between two pieces of an answer: a model that is fetched or made says nothing for long."""
MOST: Final = 1 << 20
"""Bytes of an answer in one piece, and of one line of a stream."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `url` is the gateway's, `stated` what it says of the deployment, by header."""

    url: str
    method: str
    path: str
    body: bytes | None = field(repr=False)
    stated: Mapping[str, str]


def call_of(url: str, named: str, body: bytes | None, stated: Mapping[str, str]) -> Call:
    """Read `METHOD /path`; raises Fault."""
    found = FORM.fullmatch(named)
    if found is None:
        raise Fault("--call: not a method and a path, as in 'POST /api/create'", USAGE)
    if not trusted(url) or "?" in url:
        raise Fault("--url: not an https address (http on this machine only)", USAGE)
    return Call(url.rstrip("/"), found[1], found[2], body, stated)


def ask(call: Call, bearer: str) -> str | None:
    """The ticket of the request; None where nobody has to say yes; raises Fault."""
    with _sent(call, bearer, {"phi-ask": "ticket"}, CONNECT * 3) as answer:
        code, message, error = _error(_whole(answer))
        if code == "nothing-to-ask":
            return None
        ticket = error.get("ticket")
        if code == "approval-required" and isinstance(ticket, str) and ID.fullmatch(ticket):
            return ticket
        again = answer.status_code in {429, 502, 503, 504}
    raise Fault(f"{message} ({code})", UNREACHABLE if again else REFUSED, code)


def send(call: Call, bearer: str, tell: Callable[[str], None]) -> None:
    """Send it in earnest and tell each step of the answer; raises Fault, UNREACHABLE where it may be sent again."""
    with _sent(call, bearer, {}, ANSWER) as answer:
        if answer.is_redirect:  # which is not followed: the model is as it was
            raise Fault(f"{call.url}: sends elsewhere (status {answer.status_code})", REFUSED)
        if not answer.is_success:
            code, message, _ = _error(_whole(answer))
            again = answer.status_code in {429, 503} and answer.headers.get("x-should-retry") != "false"
            raise Fault(f"{message} ({code})", UNREACHABLE if again else REFUSED, code)
        steps = 0
        try:
            for line in _lines(answer):
                steps += 1
                _step(line, tell)
        except (httpx.HTTPError, OSError) as error:
            raise Fault(f"the answer broke off ({type(error).__name__}) after {steps} lines", REFUSED) from None


@contextmanager
def _sent(call: Call, bearer: str, more: Mapping[str, str], seconds: float) -> Iterator[httpx.Response]:
    headers = {"authorization": f"Bearer {bearer}", "accept-encoding": "identity", "user-agent": "phigate"}
    headers |= {**call.stated, **more}
    if call.body is not None:
        headers["content-type"] = "application/json"
    times = httpx.Timeout(seconds, connect=CONNECT)
    client = httpx.Client(trust_env=False, timeout=times, verify=ssl.create_default_context())
    try:
        with client, client.stream(call.method, call.url + call.path, content=call.body, headers=headers) as answer:
            yield answer
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Fault(f"{call.url}: no answer ({type(error).__name__})", UNREACHABLE) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        exits = UNREACHABLE if "phi-ask" in more else REFUSED  # else nobody knows whether it was let through
        raise Fault(f"{call.url}: the connection broke ({type(error).__name__})", exits) from None


def _whole(answer: httpx.Response) -> Any:
    raw = b""
    for piece in answer.iter_raw():
        raw += piece
        if len(raw) > MOST:
            return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _error(tree: Any) -> tuple[str, str, Mapping[str, Any]]:
    """Code, message and members of an error, in the shape of whichever protocol."""
    found = tree.get("error") if isinstance(tree, dict) else None
    error = found if isinstance(found, dict) else tree if isinstance(tree, dict) else {}
    message = error.get("message") or (found if isinstance(found, str) else "not the answer of a gateway")
    return plain(error.get("code") or "unknown").plain, plain(message).plain, error


def _lines(answer: httpx.Response) -> Iterator[bytes]:
    """The lines of an answer; of one without lines its one piece."""
    rest = b""
    for piece in answer.iter_raw():
        *whole, rest = (rest + piece).split(b"\n")
        yield from filter(None, whole)
        if len(rest) > MOST:
            raise Fault("an answer without end", REFUSED)
    if rest:
        yield rest


def _step(line: bytes, tell: Callable[[str], None]) -> None:
    """Tell a line of progress; raises Fault where it says that it failed."""
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return
    if not isinstance(tree, dict):
        return
    if tree.get("error"):
        code, message, _ = _error(tree)
        raise Fault(f"{message}" if code == "unknown" else f"{message} ({code})", REFUSED, code)
    status, done, total = tree.get("status"), tree.get("completed"), tree.get("total")
    if isinstance(status, str):
        part = f" {100 * done // total}%" if isinstance(done, int) and isinstance(total, int) and total > 0 else ""
        tell(plain(status + part).plain)
