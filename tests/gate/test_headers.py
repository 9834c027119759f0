"""Which heads are read at all, and that nothing of them goes on."""

import re

import pytest

from phigate.gate import headers

HOST = (b"Host", b"gateway")


def fault(method=b"POST", target=b"/v1/chat/completions", version=b"HTTP/1.1", authority=b"", fields=(HOST,)):
    return headers.head_fault(method, target, version, authority, fields)


def test_an_honest_head_is_read():
    assert fault() is None
    assert fault(version=b"HTTP/2.0", authority=b"gateway", fields=()) is None
    assert fault(version=b"HTTP/1.0", fields=()) is None
    assert fault(fields=((b"host", b"[::1]:8080"), (b"transfer-encoding", b"Chunked"))) is None
    assert fault(method=b"DELETE", target=b"/mcp") is None
    assert fault(method=b"PUT", target=b"/models/ward/2.0/set-default") is None


@pytest.mark.parametrize(
    ("sentence", "changed", "expected"),
    [
        ("HTTP/0.9", {"version": b"HTTP/0.9"}, 400),
        ("HTTP/1.2", {"version": b"HTTP/1.2"}, 400),
        ("a method in lower case", {"method": b"post"}, 405),
        ("an unknown method", {"method": b"PROPFIND"}, 405),
        ("a method with control bytes", {"method": b"PO\x00ST"}, 405),
        ("an absolute target", {"target": b"http://other/v1/models", "authority": b"other"}, 404),
        ("a target without a slash", {"target": b"v1/models"}, 404),
        ("a target with a query of tricks", {"target": b"/v1/models?a=b/../c"}, 404),
        ("a target with two queries", {"target": b"/v1/models?a=b?c"}, 404),
        ("dot segments", {"target": b"/v1/../admin"}, 404),
        ("encoded dots", {"target": b"/v1/%2e%2e/admin"}, 404),
        ("double slashes", {"target": b"//v1/models"}, 404),
        ("path parameters", {"target": b"/v1/models;x=1"}, 404),
        ("a backslash", {"target": b"/v1\\models"}, 404),
        ("control bytes in the target", {"target": b"/v1/mo\x01dels"}, 404),
        ("a long target", {"target": b"/" + b"a" * 600}, 404),
        ("two hosts", {"fields": (HOST, HOST)}, 400),
        ("no host", {"fields": ()}, 400),
        ("a host that is empty", {"fields": ((b"Host", b""),)}, 400),
        ("a host with a path", {"fields": ((b"Host", b"gateway/v1"),)}, 400),
        ("a host with a user", {"fields": ((b"Host", b"me@gateway"),)}, 400),
        ("two hosts in one", {"fields": ((b"Host", b"gateway, gateway"),)}, 400),
        ("a host of HTTP/2 with a user", {"version": b"HTTP/2.0", "authority": b"me@gateway", "fields": ()}, 400),
        ("compressed chunks", {"fields": (HOST, (b"Transfer-Encoding", b"gzip, chunked"))}, 400),
        ("two bearers", {"fields": (HOST, (b"Authorization", b"a"), (b"authorization", b"b"))}, 400),
        ("two lengths", {"fields": (HOST, (b"Content-Length", b"1"), (b"Content-Length", b"1"))}, 400),
        ("a bare carriage return in a value", {"fields": (HOST, (b"x", b"a\rb"))}, 400),
        ("a folded value", {"fields": (HOST, (b"x", b"a\r\n b"))}, 400),
        ("a NUL in a value", {"fields": (HOST, (b"x", b"a\x00b"))}, 400),
        ("too many fields", {"fields": (HOST, *((b"x", b"y"),) * 200)}, 431),
        ("too many bytes", {"fields": (HOST, (b"x", b"y" * 60000))}, 431),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_heads_are_refused(sentence, changed, expected):
    found = fault(**changed)
    assert found is not None
    assert found[0] == expected


@pytest.mark.parametrize(
    ("sentence", "fields", "expected"),
    [
        ("plain JSON", ((b"Content-Type", b"application/json"),), None),
        ("JSON in UTF-8", ((b"content-type", b"Application/JSON; charset=UTF-8"),), None),
        ("no type", (), (415, "content-unreadable")),
        ("a form", ((b"Content-Type", b"multipart/form-data; boundary=x"),), (415, "content-unreadable")),
        ("JSON in UTF-16", ((b"Content-Type", b"application/json; charset=utf-16"),), (415, "encoding-unsupported")),
        (
            "compressed JSON",
            ((b"Content-Type", b"application/json"), (b"Content-Encoding", b"gzip")),
            (415, "encoding-unsupported"),
        ),
        ("JSON said to be plain", ((b"Content-Type", b"application/json"), (b"Content-Encoding", b"identity")), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_plain_json_is_a_body(sentence, fields, expected):
    assert headers.body_fault({name.lower(): value for name, value in fields}, {"application/json"}) == expected


def test_nothing_of_the_callers_head_goes_on():
    body = [(b"Content-Length", b"17")]
    fields = headers.onward("model:8000", exchange_id="ex-1", accept="text/event-stream", credential=None, body=body)
    assert dict(fields) == {
        b"Host": b"model:8000",
        b"User-Agent": b"phigate",
        b"Accept": b"text/event-stream",
        b"Accept-Encoding": b"identity",
        b"X-Request-Id": b"ex-1",
        b"Content-Length": b"17",
    }


def test_the_models_own_credential_takes_the_bearers_place():
    own = (b"authorization", b"Bearer own")
    assert own in headers.onward("model:8000", exchange_id="ex-1", accept="text/plain", credential=own, body=[])


def test_only_plain_words_of_the_fields_that_a_dialect_passes_go_on():
    given = {b"session": b"a-1", b"other": b"b", b"version": b"two words", b"odd": b"\xc3\xa9"}
    forms = dict.fromkeys((b"session", b"version", b"odd", b"missing"), re.compile(rb".+"))
    assert headers.passing(given, forms) == [(b"session", b"a-1")]
    assert headers.passing(given, {b"session": re.compile(rb"a")}) == []


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("  ward round  ", "ward round"), ("no", None), ("", None), ("x" * 501, None), ("a\x07bc", None)],
)
def test_reasons(stated, expected):
    assert headers.reason_text(stated.encode()) == expected


def test_a_method_that_nobody_knows_is_not_shown():
    assert headers.shown(b"POST") == "POST"
    assert headers.shown(b"PATCH") == "PATCH"
    assert headers.shown(b"QUARTERMAINE") == "?"
