"""HTTP/2 by raw frames (RFC 9113): what no client's library would send."""

import re
import socket
import ssl
import struct
from dataclasses import dataclass

from hpack import Decoder, Encoder

from tests.live.hostile.wire import BODY, LARGE, MALFORMED, METHOD, OURS, SSN, UNKNOWN, C
from tests.traffic import CHAT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, MORE = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
N = b"%d" % len(BODY)


@dataclass(frozen=True)
class Block:
    """Fields that are encoded once the bearer is known."""

    fields: tuple
    stream: int = 1
    flags: int = END_HEADERS


@dataclass(frozen=True)
class Row:
    """`gets` is the status and code that stream 1 gets, 200, `reset`, or `ended`: the whole connection is over."""

    sentence: str
    sent: tuple
    gets: object
    opening: bytes = PREFACE


def frame(kind, payload=b"", *, stream=0, flags=0, size=None):
    size = len(payload) if size is None else size
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


HEAD = {
    b":method": b"POST",
    b":scheme": b"https",
    b":path": CHAT.encode(),
    b":authority": b"gateway",
    b"authorization": b"Bearer @BEARER@",
    b"content-type": b"application/json",
}
CONTENT = frame(DATA, BODY, stream=1, flags=END_STREAM)


def asked(*more, without=(), content=CONTENT, **changed):
    """A request that would pass, but for what is said; `changed` are pseudo fields by their names."""
    head = HEAD | {b":" + name.encode(): value for name, value in changed.items()}
    fields = tuple((name, value) for name, value in head.items() if name not in without)
    return Block(fields + more), content


def first(*fields):
    """The same with these before all others."""
    return Block(fields + tuple(HEAD.items())), CONTENT


def refused(sentence, sent, gets=MALFORMED):
    return Row(sentence, sent, gets)


def ended(sentence, *sent):
    """The connection is over; mitmproxy, which reads HTTP/2, says so."""
    return Row(sentence, sent, "ended")


def passes(sentence, sent):
    return Row(sentence, sent, 200)


PSEUDO = [
    passes("an honest request", asked()),
    refused("a path with dots", asked(path=b"/v1/x/../chat/completions"), UNKNOWN),
    refused("a path with two slashes", asked(path=b"/v1//chat/completions"), UNKNOWN),
    refused("a path with an encoded slash", asked(path=b"/v1%2fchat/completions"), UNKNOWN),
    refused("a path without a slash", asked(path=CHAT[1:].encode()), UNKNOWN),
    refused("a path that is a star", asked(path=b"*"), UNKNOWN),
    refused("a path with a host", asked(path=b"http://model.example" + CHAT.encode()), UNKNOWN),
    refused("a path that speaks", asked(path=b"/" + SSN), UNKNOWN),
    refused("a path with a number sign", asked(path=CHAT.encode() + b"#a"), UNKNOWN),
    refused("a path with a blank", asked(path=CHAT.encode() + b" HTTP/1.1"), UNKNOWN),
    refused("a path with a backslash", asked(path=b"/v1\\chat\\completions"), UNKNOWN),
    ended("a path that breaks the line", *asked(path=CHAT.encode() + b" HTTP/1.1\r\nX: " + C)),
    ended("a path with a NUL", *asked(path=CHAT.encode() + b"\0")),
    ended("an empty path", *asked(path=b"")),
    refused("a method in lower case", asked(method=b"post"), METHOD),
    refused("a method that is a value", asked(method=SSN), METHOD),
    refused("a method with a line in it", asked(method=b"POST / HTTP/1.1"), METHOD),
    ended("a method that breaks the line", *asked(method=b"GET / HTTP/1.1\r\nX: ")),
    refused("an empty method", asked(method=b""), METHOD),
    ended("a tunnel", *asked(method=b"CONNECT", without=(b":path", b":scheme"))),
    refused("a tunnel with a path", asked(method=b"CONNECT")),
    refused("a tunnel in lower case", asked(method=b"connect")),
    ended("a tunnel for WebSocket", *asked((b":protocol", b"websocket"), method=b"CONNECT")),
    refused("another scheme", asked(scheme=b"ftp")),
    refused("a scheme that speaks", asked(scheme=SSN)),
    passes("the scheme of plain HTTP", asked(scheme=b"http")),
    ended("an authority with a user", *asked(authority=b"me@gateway")),
    ended("an authority with a path", *asked(authority=b"gateway/v1")),
    ended("an authority with a blank", *asked(authority=b"gateway model")),
    ended("an authority with a port that is none", *asked(authority=b"gateway:x")),
    passes("an authority of somebody else", asked(authority=b"model.example:8443")),
    passes("a host in place of an authority", asked((b"host", b"gateway"), without=(b":authority",))),
    ended("a host beside another authority", *asked((b"host", b"model.example"))),
    refused("two hosts", asked((b"host", b"gateway"), (b"host", b"gateway"), without=(b":authority",))),
    ended("no authority", *asked(without=(b":authority",))),
    *[ended(f"no {name.decode()}", *asked(without=(name,))) for name in (b":method", b":scheme", b":path")],
    *[ended(f"two of {name.decode()}", *first((name, HEAD[name]))) for name in list(HEAD)[:4]],
    ended("a pseudo field behind others", *asked((b":path", b"/v1/models"), without=(b":path",))),
    ended("a pseudo field that nobody knows", *first((b":model", SSN))),
    ended("a status", *first((b":status", b"200"))),
]

FIELDS = [
    ended("a name in capitals", *asked((b"X-Name", SSN))),
    ended("a name with a blank", *asked((b"x name", b"y"))),
    ended("a name that breaks the line", *asked((b"x: y\r\nz", b"y"))),
    ended("a name with a colon", *asked((b"x:y", b"z"))),
    ended("a name of nothing", *asked((b"", C))),
    ended("a value that breaks the line", *asked((b"x", b"a\r\nphi-unmask: yes"))),
    ended("a value with a line feed", *asked((b"x", b"a\nb"))),
    ended("a value with a NUL", *asked((b"x", b"a\0b"))),
    ended("a value with a blank before it", *asked((b"x", b" y"))),
    ended("a value with a blank behind it", *asked((b"x", b"y "))),
    refused("a value with an escape", asked((b"x", b"\x1b[2J"))),
    ended("a connection", *asked((b"connection", b"close"))),
    ended("chunks", *asked((b"transfer-encoding", b"chunked"))),
    ended("an upgrade", *asked((b"upgrade", b"websocket"))),
    ended("a connection of a proxy", *asked((b"proxy-connection", b"keep-alive"))),
    ended("a connection that stays", *asked((b"keep-alive", b"timeout=5"))),
    ended("codings of an answer", *asked((b"te", b"gzip"))),
    passes("a wish for trailers", asked((b"te", b"trailers"))),
    passes("names of others", asked((b"x-forwarded-for", b"127.0.0.1"), (b"x-http-method-override", b"DELETE"))),
    passes("many cookies", asked(*[(b"cookie", b"a=%d" % at) for at in range(20)])),
    refused("two bearers", asked((b"authorization", b"Bearer x"))),
    refused("two types", asked((b"content-type", b"text/plain"))),
    refused("a type that is none", asked((b"content-encoding", b"gzip")), (415, "encoding-unsupported")),
    refused("no bearer", asked(without=(b"authorization",)), (401, "bearer-missing")),
    refused("101 fields", asked(*[(b"x", b"y")] * 101), LARGE),
    ended("fields of a megabyte", *asked(*[(b"x%d" % at, b"y" * 1000) for at in range(100)])),
    passes("a length", asked((b"content-length", N))),
    ended("a length that is too short", *asked((b"content-length", b"5"))),
    ended("a length that is too long", *asked((b"content-length", b"9999"))),
    refused("two lengths", asked((b"content-length", N), (b"content-length", b"5"))),
    ended("a length that is a word", *asked((b"content-length", SSN))),
    ended("a length below nothing", *asked((b"content-length", b"-1"))),
    refused("a length larger than any body", asked((b"content-length", b"9" * 14), content=b""), (413, "too-large")),
    ended("a length larger than any body, and a body", *asked((b"content-length", b"9" * 14))),
]


def trailing(*fields, flags=END_STREAM | END_HEADERS):
    return Block(HEAD_FIELDS), frame(DATA, BODY, stream=1), Block(fields, flags=flags)


HEAD_FIELDS = tuple(HEAD.items())
OPEN = Block(HEAD_FIELDS)
STARTS = frame(HEADERS, b"\x82", stream=1)
FRAMES = [
    refused("trailers", trailing((b"x", C))),
    refused("trailers that say who", trailing((b"authorization", b"Bearer x"))),
    ended("trailers that say where", *trailing((b":path", b"/"))),
    ended("trailers that do not end", *trailing((b"x", b"y"), flags=END_HEADERS)),
    passes("an unknown frame", (frame(0xFA, C, stream=1), *asked())),
    passes("an unknown setting", (frame(SETTINGS, b"\xff\xff\0\0\0\1"), *asked())),
    passes("a ping", (frame(PING, b"12345678"), *asked())),
    passes("padding", (OPEN, frame(DATA, b"\3" + BODY + b"\0\0\0", stream=1, flags=PADDED | END_STREAM))),
    ended("padding longer than its frame", OPEN, frame(DATA, b"\xff" + BODY, stream=1, flags=PADDED | END_STREAM)),
    ended("content before its head", frame(DATA, C, stream=1)),
    ended("content of no stream", OPEN, frame(DATA, C)),
    ended("content of another stream", OPEN, frame(DATA, C, stream=3)),
    ended("a head of no stream", frame(HEADERS, b"\x82", flags=END_HEADERS)),
    ended("a stream of the server's", Block(HEAD_FIELDS, stream=2)),
    ended("a stream from the past", Block(HEAD_FIELDS, stream=5), Block(HEAD_FIELDS, stream=3)),
    ended("a head that goes on without having begun", frame(MORE, b"\x82", stream=1, flags=END_HEADERS)),
    ended("something within a head", STARTS, frame(PING, b"12345678")),
    ended("a head that goes on elsewhere", STARTS, frame(MORE, b"\x86", stream=3, flags=END_HEADERS)),
    ended("a head in very many parts", STARTS, frame(MORE, b"", stream=1) * 1000),
    ended("a head without an end", STARTS, frame(MORE, b"\0\1x\1y" * 500, stream=1) * 70),
    ended("a field that was never said", frame(HEADERS, b"\xff\xff\x7f", stream=1, flags=END_HEADERS)),
    ended("a field of no number", frame(HEADERS, b"\x80", stream=1, flags=END_HEADERS)),
    ended("half a field", frame(HEADERS, b"\x82\x40\x0ax", stream=1, flags=END_HEADERS)),
    ended("letters that are none", frame(HEADERS, b"\x00\x81\x00\x84\xff\xff\xff\xff", stream=1, flags=END_HEADERS)),
    ended("a table that is too large", frame(HEADERS, b"\x3f\xff\xff\xff\x0f", stream=1, flags=END_HEADERS)),
    ended("a number without an end", frame(HEADERS, b"\xff" * 40, stream=1, flags=END_HEADERS)),
    ended("a bomb of fields", frame(HEADERS, b"\x40\1x\x7f\x81\x1e" + b"y" * 4000 + b"\xbe" * 9000, stream=1, flags=5)),
    ended("a promise", frame(PUSH, b"\0\0\0\2\x82", stream=1, flags=END_HEADERS)),
    ended("settings of a stream", frame(SETTINGS, b"", stream=1)),
    ended("half a setting", frame(SETTINGS, b"\0\1\0")),
    ended("an answer to settings that says more", frame(SETTINGS, b"\0\1\0\0\0\0", flags=ACK)),
    ended("pushing twice", frame(SETTINGS, b"\0\2\0\0\0\2")),
    ended("a window that is too large", frame(SETTINGS, b"\0\4\xff\xff\xff\xff")),
    ended("frames that are too small", frame(SETTINGS, b"\0\5\0\0\0\1")),
    ended("a window of nothing more", frame(WINDOW, b"\0\0\0\0")),
    ended("a window that overflows", frame(WINDOW, b"\x7f\xff\xff\xff") * 2),
    ended("half a window", frame(WINDOW, b"\0\0")),
    ended("a window of a stream that never was", frame(WINDOW, b"\0\0\0\1", stream=7)),
    ended("half a ping", frame(PING, b"1234")),
    ended("a ping of a stream", frame(PING, b"12345678", stream=1)),
    ended("a reset of a stream that never was", frame(RESET, b"\0\0\0\0", stream=7)),
    ended("a reset of no stream", frame(RESET, b"\0\0\0\0")),
    ended("half a reset", OPEN, frame(RESET, b"\0\0", stream=1)),
    ended("a stream that waits for itself", frame(PRIORITY, b"\0\0\0\1\0", stream=1)),
    ended("half a priority", frame(PRIORITY, b"\0\0", stream=1)),
    ended("a frame that is larger than allowed", frame(DATA, b"x" * 200_000, stream=1)),
    ended("the end of the connection, and a request", frame(GOAWAY, b"\0" * 8 + C), *asked()),
    Row("another request on a stream that had one", (*asked(path=b"/x"), *asked()), "reset"),
    Row("HTTP/1 where HTTP/2 was agreed", (), "ended", b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n" + C),
    Row("half a preface", (), "ended", PREFACE[:14] + C),
    Row("no preface", asked(), "ended", b""),
    ended(
        "300 requests that are taken back",
        *[
            each
            for at in range(1, 600, 2)
            for each in (Block(HEAD_FIELDS, stream=at), frame(RESET, b"\0\0\0\x08", stream=at))
        ],
        frame(DATA, C),
    ),
]

ROWS = PSEUDO + FIELDS + FRAMES


def encoded(row, bearer):
    """All that a row sends, behind the preface and empty settings."""
    encoder, out = Encoder(), [row.opening, frame(SETTINGS) if row.opening == PREFACE else b""]
    for each in row.sent:
        if isinstance(each, bytes):
            out.append(each)
            continue
        fields = [(name, value.replace(b"@BEARER@", bearer.encode())) for name, value in each.fields]
        block = encoder.encode(fields, huffman=False)
        parts = [block[at : at + 16000] for at in range(0, len(block), 16000)]
        kinds = [HEADERS, *[MORE] * (len(parts) - 1)]
        for kind, part in zip(kinds, parts, strict=True):
            last = END_HEADERS if part is parts[-1] else 0
            flags = (each.flags & ~END_HEADERS if kind == HEADERS else 0) | last
            out.append(frame(kind, part, stream=each.stream, flags=flags))
    return b"".join(out)


def exchange(port, row, bearer):
    """All bytes that come back until stream 1 or the connection is over."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.set_alpn_protocols(["h2"])
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, trusting.wrap_socket(plain) as wire:
        assert wire.selected_alpn_protocol() == "h2"
        try:
            wire.sendall(encoded(row, bearer))
            while piece := wire.recv(65536):
                got += piece
                if row.gets != "ended" and over(got):
                    break
        except (ConnectionError, ssl.SSLEOFError):
            pass
        except TimeoutError:
            raise AssertionError(f"held open: {[each[:3] for each in frames_in(got)]}") from None
    return got


def frames_in(raw):
    """(kind, flags, stream, payload) of each whole frame."""
    while len(raw) >= 9:
        size, kind, flags, stream = int.from_bytes(raw[:3]), raw[3], raw[4], int.from_bytes(raw[5:9])
        if len(raw) < 9 + size:
            return
        yield kind, flags, stream, raw[9 : 9 + size]
        raw = raw[9 + size :]


def over(raw):
    return any(
        kind == GOAWAY or (stream == 1 and (kind == RESET or (kind in {DATA, HEADERS} and flags & END_STREAM)))
        for kind, flags, stream, _ in frames_in(raw)
    )


def check(row, got, bearer):
    """What stream 1 got is what the row says, and nothing is echoed."""
    decoder, heads, resets, plain = Decoder(), [], 0, got
    for kind, _, stream, payload in frames_in(got):
        if kind == HEADERS:
            fields = {name.decode(): value.decode() for name, value in decoder.decode(payload, raw=True)}
            plain += repr(fields).encode()
            heads += [fields] if stream == 1 else []
        elif kind == GOAWAY:
            assert re.fullmatch(rb"(HTTP/2 protocol error)?", payload[8:]), "an end that speaks"
        resets += kind == RESET and stream == 1
    statuses = [int(each[":status"]) for each in heads]
    if row.gets == "ended":
        assert not statuses, statuses
    elif row.gets == "reset":
        assert not statuses, statuses
        assert resets
    elif row.gets == 200:
        assert statuses == [200], heads
    else:
        assert [(each, heads[0].get("phi-reason")) for each in statuses] == [row.gets], heads
        assert not [name for name in heads[0] if name != ":status" and not OURS.fullmatch(name)]
        assert heads[0]["content-type"] == "application/json"
        assert heads[0]["cache-control"] == "no-store"
    for word in (b"mitmproxy", bearer.encode(), bearer[-20:].encode()):
        assert word not in plain
    return plain
