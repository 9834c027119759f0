"""Hostile requests as bytes: how they are written, sent, and what came back for them, also more than was asked for."""

import contextlib
import json
import re
import socket
from dataclasses import dataclass

from tests.traffic import CANARY_NAME, CANARY_SSN, CANARY_TEXT, CHAT, chat

C = CANARY_TEXT.encode()
"""Stands in every request: where it must not go on, nowhere else may it show."""
SSN, NAME = CANARY_SSN.encode(), CANARY_NAME.encode()
BODY = json.dumps(chat(CANARY_TEXT)).encode()
LINE = f"POST {CHAT} HTTP/1.1".encode()
HOST = b"Host: gateway\r\n"
BEARER = b"Authorization: Bearer @BEARER@\r\n"
KIND = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
PROBE = b"GET /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
"""Sent behind each request on its connection: its answer tells that both sides agree where the request ended."""
OURS = re.compile(
    r"phi-(exchange|decision|reason|rule)|x-request-id|x-should-retry|cache-control|content-(type|length)|connection"
    r"|www-authenticate|retry-after|upgrade|sec-websocket-version"
)
"""The fields that an answer of the gateway's own may have."""


@dataclass(frozen=True)
class Row:
    """`gets` is what the caller is told, an answer each: (status, code) of a refusal, or 200 for one that passed.

    `behind` is what may follow them: a closed connection, or the answer to the probe. `onward` is the body that the
    model server must have seen for each that passed. `waits` says that the gateway rightly waits for more: the caller
    goes away.
    """

    sentence: str
    raw: bytes
    gets: tuple
    onward: object = None
    waits: bool = False
    behind: tuple = ((), (200,))


MALFORMED = (400, "malformed")
UNKNOWN = (404, "route-unknown")
METHOD = (405, "method-not-allowed")
LARGE = (431, "headers-too-large")
UNREADABLE = (415, "content-unreadable")
ENCODED = (415, "encoding-unsupported")
MISSING = (401, "bearer-missing")
REFUSED = (401, "bearer-refused")


def refused(sentence, raw, *gets, **more):
    return Row(sentence, raw, gets or (MALFORMED,), **more)


def shut(sentence, raw, *gets):
    """Refused, and nothing more is read from this connection."""
    return Row(sentence, raw, gets or (MALFORMED,), behind=((),))


def passes(sentence, raw, onward=BODY, times=1):
    return Row(sentence, raw, (200,) * times, onward)


def post(fields=b"", *, line=LINE, body=BODY, host=HOST, bearer=BEARER, kind=KIND, size=None):
    """A request that would pass, but for what is said."""
    size = b"Content-Length: %d\r\n" % len(body) if size is None else size
    return line + b"\r\n" + host + bearer + kind + size + fields + b"\r\n" + body


def get(target, *, method=b"GET", version=b"HTTP/1.1", fields=b""):
    return b"%b %b %b\r\n" % (method, target, version) + HOST + BEARER + fields + b"\r\n"


def chunks(*parts, last=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + last


def answers_in(raw):
    """(status, fields, body) of each answer in these bytes, and what is left of them."""
    found = []
    while b"\r\n\r\n" in raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        told = dict(fields)
        if told.get("transfer-encoding") == "chunked":
            body, mark, rest = rest.partition(b"0\r\n\r\n")
            whole = bool(mark)
        else:
            length = int(told.get("content-length", "0"))
            body, rest, whole = rest[:length], rest[length:], len(rest) >= length
        if not whole:
            break
        if not first.startswith("HTTP/1.1 100 "):
            found.append((int(first.split(" ")[1]), fields, body))
        raw = rest
    return found, raw


def exchange(port, row, bearer):
    """All bytes that come back, and whether the gateway closed the connection."""
    got, asked = b"", False
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        with contextlib.suppress(ConnectionError):  # closed before all was sent: what it said can be read
            wire.sendall(row.raw.replace(b"@BEARER@", bearer.encode()))
        try:
            if row.waits:
                wire.settimeout(0.02)
            while piece := wire.recv(65536):
                got += piece
                if not asked and len(answers_in(got)[0]) >= len(row.gets):
                    asked = True
                    wire.sendall(PROBE)
        except ConnectionError:
            pass
        except TimeoutError:
            return got, False
    return got, True


def check(row, got, closed, bearer):
    """What the caller got is what the row says, and echoes nothing."""
    found, rest = answers_in(got)
    assert rest == b"", "half an answer"
    assert closed is not row.waits, "held open" if not closed else "not waited for"
    own, more = found[: len(row.gets)], found[len(row.gets) :]
    told = [status if status == 200 else (status, dict(fields).get("phi-reason")) for status, fields, _ in own]
    assert told == list(row.gets), told
    assert tuple(status for status, _, _ in more) in row.behind, "more answers than requests"
    assert all(b'"resource"' in body for status, _, body in more if status == 200), "more answers than requests"
    for status, fields, body in own:
        if status != 200:
            assert not body or json.loads(body)["error"]
            assert not [name for name, _ in fields if not OURS.fullmatch(name)]
            assert ("cache-control", "no-store") in fields
            assert ("content-type", "application/json") in fields
            assert dict(fields)["phi-decision"] == "deny"
    for word in (b"mitmproxy", bearer.encode(), bearer[-20:].encode()):
        assert word not in got.lower() if word.islower() else word not in got
