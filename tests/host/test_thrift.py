"""What mitmproxy and Python do without from now on, and that messages are what they were."""

import asyncio
import gc
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.utils import asyncio_utils, human

from phigate.host import thrift


def message():
    """A message whose status is none."""
    return http.ResponseData(b"HTTP/1.1", http.Headers(), None, None, 0, None, status_code="odd", reason=b"")  # type: ignore[arg-type]  # what is tested


def test_messages_are_made_without_a_look_at_their_types(seams):
    with pytest.raises(TypeError):
        message()
    thrift.install()
    assert message().status_code == "odd"
    assert http.Request.make("GET", "http://model/").host == "model"


def test_sizes_are_what_they_were(seams):
    thrift.install()
    assert (human.parse_size("16m"), human.parse_size("16m"), human.parse_size(None)) == (16 << 20, 16 << 20, None)
    with pytest.raises(ValueError, match="Invalid size"):
        human.parse_size("much")


NAMES = st.sampled_from(["Host", "host", "Content-Type", "X", "x", "Transfer-Encoding", "\udcff", ""])
VALUES = st.sampled_from(["", "a", "b, c", "\udcfe", "\u00e9"])
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


def raw(text):
    return text.encode("utf-8", "surrogateescape")


@given(FIELDS, NAMES)
def test_header_fields_are_found_as_they_were(fields, name):
    headers = http.Headers([(raw(key), raw(value)) for key, value in fields])
    asked = [(wanted.upper(), wanted) for wanted in (name, raw(name))]
    old = [
        (headers.get_all(key), headers.get(key), headers.get(key, 7), key in headers) for keys in asked for key in keys
    ]
    with pytest.MonkeyPatch.context() as patch:
        for seam in ("get_all", "get", "__contains__"):
            patch.setattr(http.Headers, seam, getattr(thrift, "_" + seam.strip("_")))
        new = [
            (headers.get_all(key), headers.get(key), headers.get(key, 7), key in headers)
            for keys in asked
            for key in keys
        ]
    assert new == old


async def test_tasks_still_run(seams):
    thrift.install()
    ran = asyncio.Event()
    task = asyncio_utils.create_task(asyncio.to_thread(ran.set), name="a task", keep_ref=True)
    await task
    assert ran.is_set()


def test_what_was_loaded_is_never_looked_at_again(seams):
    frozen = gc.get_freeze_count()
    thrift.settle()
    assert gc.get_freeze_count() > frozen
    assert gc.get_threshold()[0] > 2000
    assert gc.isenabled()


def test_a_thread_gives_way_soon(seams):
    thrift.settle()
    assert sys.getswitchinterval() == pytest.approx(0.001)


def test_large_things_that_wait_for_the_collector_are_collected_once_enough_came(monkeypatch):
    collected = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(1))
    litter = thrift.Litter()
    for came in (0, thrift._LITTER - 1, thrift._LITTER, thrift._LITTER + 1, 2 * thrift._LITTER - 1, 2 * thrift._LITTER):
        litter.tick(came)
    assert len(collected) == 2
