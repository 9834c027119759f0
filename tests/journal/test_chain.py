from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.journal import chain
from tests.journal.samples import NOW, chained, request, small_journal


def test_a_line_is_the_envelope_in_its_order_then_the_fields_then_one_newline() -> None:
    line = chain.line_of(seq=12, prev="a" * 64, now=NOW, instance="gw-1", kind="look", fields={"who": "x\ny"})
    assert line == (
        b'{"v":1,"seq":12,"prev":"' + b"a" * 64 + b'","ts":"2026-11-23T15:04:05.123456Z",'
        b'"instance":"gw-1","kind":"look","who":"x\\ny"}\n'
    )
    assert tuple(orjson.loads(line))[:6] == chain.ENVELOPE


def test_prev_is_what_sha256sum_says_of_the_whole_line_before() -> None:
    first, second, *_ = small_journal()
    assert orjson.loads(second)["prev"] == hashlib.sha256(first).hexdigest()


def test_times_are_utc_whatever_zone_they_come_in_and_never_naive() -> None:
    assert chain.stamp(NOW.astimezone(timezone(timedelta(hours=-7)))) == "2026-11-23T15:04:05.123456Z"
    assert chain.stamp(NOW.replace(microsecond=0)) == "2026-11-23T15:04:05.000000Z"
    with pytest.raises(ValueError, match="timezone"):
        chain.stamp(datetime(2026, 1, 1))  # noqa: DTZ001 - a naive time is the case


def deep(levels: int) -> object:
    value: object = "secret words"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"body": "secret words \ud800"}, id="a lone surrogate"),
        pytest.param({"body": deep(300)}, id="nested too deeply"),
        pytest.param({"body": {"secret words": 2**70}}, id="an integer beyond 64 bits"),
        pytest.param({"body": {1: "secret words"}}, id="a key that is no string"),
        pytest.param({"body": object()}, id="no JSON at all"),
        pytest.param({"seq": "secret words"}, id="a field that shadows the envelope"),
        pytest.param({"body": orjson.Fragment(b'"secret\nwords"')}, id="a line break inside"),
        pytest.param({"body": "x" * chain.MAX_LINE}, id="longer than a line may be"),
    ],
)
def test_what_cannot_be_a_line_is_unrecordable_and_not_quoted(fields: dict[str, object]) -> None:
    with pytest.raises(chain.Unrecordable) as raised:
        chain.line_of(seq=0, prev=chain.ZEROS, now=NOW, instance="gw", kind="look", fields=fields)
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_an_unknown_kind_is_unrecordable() -> None:
    with pytest.raises(chain.Unrecordable):
        chain.line_of(seq=0, prev="", now=NOW, instance="gw", kind="gossip", fields={})  # type: ignore[arg-type]  # the case


def test_an_untouched_journal_holds_to_its_last_line() -> None:
    lines = small_journal()
    assert chain.verify_lines(lines) == chain.Verdict(4, chain.digest(lines[-1]), None)
    assert chain.verify_lines(lines).intact


def test_an_empty_journal_proves_nothing_and_breaks_nothing() -> None:
    assert chain.verify_lines([]) == chain.Verdict(0, chain.ZEROS, None)


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], lines[3]]


OTHER_INSTANCE = orjson.loads(small_journal()[3]) | {"instance": "gw-2"}
SKIPPED = orjson.loads(small_journal()[3]) | {"seq": 9}


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        pytest.param(small_journal()[1:], 1, "not-opened", id="the first line is gone"),
        pytest.param(small_journal()[:1] + small_journal()[2:], 2, "wrong-prev", id="a line in the middle is gone"),
        pytest.param(swapped(small_journal()), 2, "wrong-prev", id="two lines are swapped"),
        pytest.param([*small_journal()[:3], small_journal()[3][:-1]], 4, "torn", id="the last line is torn"),
        pytest.param([*small_journal()[:2], b"[]\n"], 3, "not-a-record", id="a line is JSON but no record"),
        pytest.param([*small_journal()[:2], b'{"v":1,"kind":[]}\n'], 3, "not-a-record", id="a kind that is no string"),
        pytest.param(
            [*small_journal()[:3], orjson.dumps(OTHER_INSTANCE) + b"\n"], 4, "wrong-instance", id="of another gateway"
        ),
        pytest.param([*small_journal()[:3], orjson.dumps(SKIPPED) + b"\n"], 4, "wrong-seq", id="a number is skipped"),
        pytest.param(
            chained([("opened", {"follows": None})], prev="c" * 64), 1, "wrong-start", id="follows none, links one"
        ),
    ],
)
def test_the_first_line_that_does_not_hold_is_named(lines: list[bytes], line: int, reason: str) -> None:
    verdict = chain.verify_lines(lines)
    assert verdict.broken == chain.Broken(line, reason)
    assert verdict.records == line - 1


def test_a_file_goes_on_where_the_one_before_it_ended() -> None:
    before = small_journal()
    last = chain.digest(before[-1])
    after = chained([("opened", {"follows": {"file": "f", "hash": last}}), ("look", {})], seq=4, prev=last)
    assert chain.verify_lines(after, follows=last).intact
    assert chain.verify_lines(after, follows="d" * 64).broken == chain.Broken(1, "wrong-start")
    assert chain.verify_lines(small_journal(), follows=last).broken == chain.Broken(1, "wrong-start")


WHOLE = b"".join(small_journal())
LAST = len(small_journal()[-1])


@given(at=st.integers(0, len(WHOLE) - LAST - 1), byte=st.integers(0, 255))
def test_every_changed_byte_before_the_last_line_is_found(at: int, byte: int) -> None:
    changed = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    assert chain.verify_lines(_by_newline(changed)).intact == (changed == WHOLE)


def _by_newline(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def test_every_removed_byte_before_the_last_line_is_found() -> None:
    shorter = (WHOLE[:at] + WHOLE[at + 1 :] for at in range(len(WHOLE) - LAST))
    assert not [at for at, data in enumerate(shorter) if chain.verify_lines(_by_newline(data)).intact]


def test_a_changed_last_line_shows_only_to_what_follows_it() -> None:
    lines = small_journal()
    changed = [*lines[:-1], lines[-1].replace(b"done", b"gone")]
    verdict = chain.verify_lines(changed)
    assert verdict.intact
    assert verdict.last != chain.verify_lines(lines).last


def test_request_bodies_may_hold_anything_json_holds() -> None:
    body = {"decision": {"verb": "deny"}, "kind": "closed", "text": "\u2028 \x00 </script>"}
    line = chain.line_of(
        seq=0, prev=chain.ZEROS, now=NOW, instance="gw", kind="request", fields=request("e") | {"body": body}
    )
    assert chain.parse(line) is not None
    assert orjson.loads(line)["body"] == body
