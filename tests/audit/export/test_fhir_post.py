from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from phigate.audit.export import fhir, fhir_post
from phigate.audit.export.fhir_post import Repository, Undelivered
from tests.audit.export import happened
from tests.audit.export.repository import Kept, repository
from tests.grpc_peer import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def events(tmp_path: Path) -> list[dict[str, Any]]:
    return [resource for each in happened.happenings(tmp_path) for resource in fhir.resources(each)]


@pytest.fixture
def kept() -> Iterator[Kept]:
    with repository() as found:
        yield found


def sent(kept: Kept, events: list[dict[str, Any]], **options: Any) -> tuple[fhir_post.Delivered, list[float]]:
    waits: list[float] = []
    with Repository(kept.url, wait=waits.append, **options) as to:
        to.send(events)
        return to.delivered, waits


@pytest.mark.parametrize("batch", [1, 100])
def test_all_arrive_and_a_repeat_creates_none_again(kept: Kept, events: list[dict[str, Any]], batch: int) -> None:
    first, waits = sent(kept, events, batch=batch, bearer="b.e.arer")
    assert (first.created, first.there, first.refused, waits) == (len(events), 0, 0, [])
    assert list(kept.events.values()) == events
    paths, headers = zip(*kept.requests, strict=True)
    assert set(paths) == {"/fhir/AuditEvent" if batch == 1 else "/fhir"}
    assert {each["authorization"] for each in headers} == {"Bearer b.e.arer"}
    assert {each["content-type"] for each in headers} == {"application/fhir+json"}
    again, _ = sent(kept, events, batch=batch)
    assert (again.created, again.there) == (0, len(events))
    assert len(kept.events) == len(events)


@pytest.mark.parametrize("batch", [1, 100])
def test_what_may_pass_is_tried_again_and_waits_longer_each_time(
    kept: Kept, events: list[dict[str, Any]], batch: int
) -> None:
    kept.answers = [503, None, 429]
    done, waits = sent(kept, events, batch=batch)
    assert done.created == len(events)
    assert waits == [0.5, 1.0, 2.0]


def test_a_batch_whose_answer_was_lost_is_sent_again_and_creates_none_twice(
    kept: Kept, events: list[dict[str, Any]]
) -> None:
    kept.lost = [None]
    done, waits = sent(kept, events)
    assert (done.created, done.there, waits) == (0, len(events), [0.5])
    assert len(kept.events) == len(events)


def test_trying_again_ends(kept: Kept, events: list[dict[str, Any]]) -> None:
    kept.answers = [503] * 100
    with pytest.raises(Undelivered, match="the repository answers 503, 6 times"):
        sent(kept, events)
    assert len(kept.requests) == fhir_post.ATTEMPTS


@pytest.mark.parametrize("status", [401, 403, 404, 301])
def test_what_does_not_pass_is_not_tried_again(kept: Kept, events: list[dict[str, Any]], status: int) -> None:
    kept.answers, kept.location = [status], f"{kept.url}/elsewhere"
    with pytest.raises(Undelivered, match=f"the repository answers {status}"):
        sent(kept, events)
    assert len(kept.requests) == 1  # a redirect is not followed: the bearer is for one address


def test_a_repository_without_batches_is_told(kept: Kept, events: list[dict[str, Any]]) -> None:
    kept.answers = [400]
    with pytest.raises(Undelivered, match="`--batch 1` sends one by one"):
        sent(kept, events)


@pytest.mark.parametrize("batch", [1, 100])
def test_events_that_are_refused_are_counted_and_named(kept: Kept, events: list[dict[str, Any]], batch: int) -> None:
    bad = [events[1]["id"], events[4]["id"]]
    kept.entry_answers = {id_: [422] for id_ in bad}
    done, _ = sent(kept, events, batch=batch)
    assert (done.created, done.refused) == (len(events) - 2, 2)
    assert done.told == [(id_, 422) for id_ in bad]


def test_entries_that_may_pass_go_again_alone(kept: Kept, events: list[dict[str, Any]]) -> None:
    kept.entry_answers = {events[2]["id"]: [503, 503], events[3]["id"]: [429]}
    done, waits = sent(kept, events)
    assert (done.created, done.refused) == (len(events), 0)
    assert kept.sizes == [len(events), 2, 1]
    assert waits == [0.5, 1.0]


def test_entries_that_never_pass_are_not_settled(kept: Kept, events: list[dict[str, Any]]) -> None:
    kept.entry_answers = {events[2]["id"]: [503] * 100}
    with pytest.raises(Undelivered, match="no room for 1 events"):
        sent(kept, events)


def test_several_that_match_are_there(kept: Kept, events: list[dict[str, Any]]) -> None:
    kept.entry_answers = {events[0]["id"]: [412]}
    done, _ = sent(kept, events)
    assert (done.created, done.there) == (len(events) - 1, 1)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"entry":[]}', b'{"entry":[{"response":{"status":"ok"}}]}', b'{"entry":7}']
)
def test_an_answer_that_settles_nothing_settles_nothing(kept: Kept, events: list[dict[str, Any]], raw: bytes) -> None:
    kept.raw = raw
    with pytest.raises(Undelivered, match="answer"):
        sent(kept, events)


def test_an_answer_that_is_too_long_is_not_read(
    kept: Kept, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_post, "MAX_ANSWER", 100)
    with pytest.raises(Undelivered, match="too long"):
        sent(kept, events)


def test_the_repository_says_how_long_to_wait_but_not_without_end() -> None:
    assert fhir_post._pause(0, "7") == 7.0
    assert fhir_post._pause(0, "99999") == fhir_post.LONGEST_WAIT
    assert fhir_post._pause(3, "Wed, 21 Oct 2026 07:28:00 GMT") == 4.0


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("https://audit.example/fhir", True),
        ("http://127.0.0.1:8080/fhir", True),
        ("http://audit.example/fhir", False),
        ("https://user@audit.example/fhir", False),
        ("https://audit.example/fhir?x=1", False),
        ("ftp://audit.example", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_events_go_to_https_or_stay_on_this_machine(url: str, usable: bool) -> None:
    assert fhir_post.usable(url) is usable
    if not usable:
        with pytest.raises(Undelivered, match="not an https address"):
            Repository(url)


def test_both_sides_prove_who_they_are(
    events: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, key = certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(pem.read_bytes() + key.read_bytes())
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(pem, key)
    theirs.load_verify_locations(pem)
    theirs.verify_mode = ssl.CERT_REQUIRED
    with repository(theirs) as kept:
        with pytest.raises(Undelivered, match="no answer"):
            sent(kept, events)  # an authority that nobody trusts
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with pytest.raises(Undelivered, match="no answer"):
            sent(kept, events)  # and we do not say who we are
        assert not kept.requests
        done, _ = sent(kept, events, context=fhir_post.tls(both))
    assert done.created == len(events)


def test_a_certificate_that_cannot_be_read_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "odd.pem").write_text("not a certificate")
    for path in (tmp_path / "odd.pem", tmp_path / "missing.pem"):
        with pytest.raises(OSError, match=r".*"):
            fhir_post.tls(path)


def test_of_many_refusals_some_are_named() -> None:
    done = fhir_post.Delivered()
    for number in range(100):
        done.settle(str(number), 422)
    assert (done.refused, len(done.told)) == (100, fhir_post.TOLD)
