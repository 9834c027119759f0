"""What commands ask of a console: with whose bearer, of whom, and what they make of any answer."""

import io
import json

import pytest

from phigate.remote import client
from phigate.remote.client import REFUSED, UNREACHABLE, USAGE, Console, Fault, as_json, bearer, opened
from tests.remote.fake import refusal

MINE = "eyJ.mine.sig"


def asked(console, path="/tickets"):
    with Console(console.url, MINE) as here, pytest.raises(Fault) as fault:
        here.get(path)
    return fault.value


def test_an_answer_is_given_and_only_our_own_bearer_was_sent(console, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    console.answers["GET", "/tickets"] = (200, {"tickets": []})
    console.answers["POST", "/tickets/t-1/approve"] = (200, {"state": "approved"})
    with Console(f"{console.url}/", MINE) as here:
        assert here.get("/tickets") == {"tickets": []}
        assert here.post("/tickets/t-1/approve", {"comment": "seen"}) == {"state": "approved"}
        assert here.post("/tickets/t-1/approve") == {"state": "approved"}
    assert console.asked[1:] == [
        ("POST", "/tickets/t-1/approve", {"comment": "seen"}),
        ("POST", "/tickets/t-1/approve", None),
    ]
    assert [each["authorization"] for each in console.headers] == [f"Bearer {MINE}"] * 3


@pytest.mark.parametrize(
    ("status", "exits"), [(401, REFUSED), (403, REFUSED), (404, REFUSED), (409, REFUSED), (429, UNREACHABLE), (503, 3)]
)
def test_a_no_is_told_in_the_consoles_words(console, status, exits):
    console.answers["GET", "/tickets"] = (status, refusal("own-request", "Nobody answers their own."))
    fault = asked(console)
    assert (fault.sentence, fault.exits, fault.code) == (
        "Nobody answers their own. (own-request)",
        exits,
        "own-request",
    )


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("no JSON", (200, b"<html>" + MINE.encode())),
        ("a name twice", (200, b'{"a": 1, "a": 2}')),
        ("a list", (200, b"[]")),
        ("an error of another kind", (403, {"error": "forbidden", "detail": MINE})),
        ("an error's code that is none", (403, {"error": {"code": 7, "message": MINE}})),
    ],
)
def test_what_no_console_would_answer_is_told_without_a_word_of_it(console, sentence, answer):
    console.answers["GET", "/tickets"] = answer
    fault = asked(console)
    assert fault.exits == UNREACHABLE
    assert fault.sentence == f"{console.url}: not the answer of a gateway's console (status {answer[0]})", sentence


def test_a_redirect_is_not_followed(console):
    console.answers["GET", "/tickets"] = (302, {}, {"location": f"{console.url}/elsewhere"})
    assert asked(console).exits == UNREACHABLE
    assert [path for _, path, _ in console.asked] == ["/tickets"]


def test_an_answer_without_end_is_cut_off(console, monkeypatch):
    monkeypatch.setattr(client, "MOST", 1000)
    console.answers["GET", "/tickets"] = (200, b" " * 2000)
    assert asked(console).sentence == f"{console.url}: an answer without end"


def test_nobody_there_is_told(console):
    url = console.url
    with Console("http://127.0.0.1:9", MINE) as here, pytest.raises(Fault) as fault:
        here.get("/tickets")
    assert (fault.value.exits, fault.value.sentence) == (3, "http://127.0.0.1:9: no answer (ConnectError)")
    assert url not in fault.value.sentence


@pytest.mark.parametrize(
    "url",
    [
        *("http://console.example", "ftp://127.0.0.1", "127.0.0.1:8090", "https://me:pw@console.example"),
        *("https://console.example/?a=b", "https://console.example/#a", ""),
    ],
)
def test_a_bearer_goes_nowhere_in_cleartext(url):
    with pytest.raises(Fault) as fault:
        Console(url, MINE)
    assert (fault.value.exits, fault.value.sentence) == (
        USAGE,
        "--console: not an https address (http on this machine only)",
    )


def test_a_bearer_comes_from_a_file_or_standard_input_or_the_environment(tmp_path, monkeypatch):
    (tmp_path / "bearer").write_text(f"{MINE}\n")
    monkeypatch.setenv("PHIGATE_TOKEN", "of-the-environment")
    assert bearer(tmp_path / "bearer") == MINE
    assert bearer(None) == "of-the-environment"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MINE.encode())))
    assert bearer(type(tmp_path)("-")) == MINE
    with opened("https://console.example", tmp_path / "bearer") as here:
        assert here.url == "https://console.example"


@pytest.mark.parametrize(
    "said", ["", "two words", "a\nx-other: b", "caf\u00e9", "a\x00", "x" * (client.MOST_BEARER + 1)]
)
def test_what_is_no_bearer_is_not_sent_and_not_quoted(tmp_path, said):
    (tmp_path / "bearer").write_text(said)
    with pytest.raises(Fault) as fault:
        bearer(tmp_path / "bearer")
    assert (fault.value.exits, fault.value.sentence) == (USAGE, f"{tmp_path / 'bearer'}: this is no bearer")


def test_no_bearer_at_all_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("PHIGATE_TOKEN", raising=False)
    with pytest.raises(Fault, match="no bearer: set PHIGATE_TOKEN"):
        bearer(None)
    with pytest.raises(Fault, match="no such file") as fault:
        bearer(tmp_path / "missing")
    assert fault.value.exits == USAGE


def test_documents_for_programs_move_no_cursor():
    said = as_json({"model": "a\u001b[2Jb\u202ec"})
    assert said.isascii()
    assert "\u001b" not in said
    assert json.loads(said) == {"model": "a\u001b[2Jb\u202ec"}
