"""The port: how many connections it keeps, what TLS it takes, and that one broken call ends alone."""

import asyncio
import contextlib
import errno
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from phigate import metrics
from phigate.rpc import endpoint as module
from phigate.rpc.endpoint import tls
from phigate.rpc.framing import frame
from phigate.rpc.link import LaneBroken
from tests.grpc_peer import certificate
from tests.rpc.wire import answered, asked, connected, echo, head, open_doors, raw, served
from tests.stage import until


async def test_each_stream_is_answered_with_the_address_of_its_peer():
    seen = []

    async def answer(lane, address):
        seen.append(address)
        await echo(lane, address)

    async with served(answer) as (_, port), connected(port) as client:
        await asked(client, b"a")
    assert seen == ["127.0.0.1"]


async def test_a_call_that_breaks_ends_alone_and_says_nothing_of_why(caplog):
    async def answer(lane, address):
        if dict(lane.head)[b":path"] == b"/bad":
            raise ValueError("Zebulon")
        await echo(lane, address)

    async with served(answer) as (_, port), connected(port) as client:
        with pytest.raises(LaneBroken):
            await asked(client, b"a", path="/bad")
        assert (await asked(client, b"a")).messages == [b"a"]
    assert "ValueError" in caplog.text
    assert "Zebulon" not in caplog.text


async def test_a_call_that_is_answered_early_is_over_for_both():
    async def answer(lane, _address):
        await lane.send_head([(b":status", b"200"), (b"grpc-status", b"7")], end=True)

    async with served(answer) as (endpoint, port), connected(port) as client:
        lane = client.begin(head())
        await client.flushed()
        assert (await answered(lane)).status == 7
        await until(lambda: not client.lanes and not next(iter(endpoint._links)).lanes)


async def test_where_it_is_full_whoever_was_believed_and_asks_something_stays(monkeypatch):
    monkeypatch.setattr(module, "CONNECTIONS", 2)
    async with served(echo) as (endpoint, port), connected(port) as known:
        await asked(known, b"a")
        next(iter(endpoint._links)).believe()
        async with connected(port) as stranger:
            await until(lambda: len(endpoint._links) == 2)
            async with connected(port) as another:
                assert (await asked(another, b"b")).messages == [b"b"]
                await until(lambda: stranger.gone)
                assert (await asked(known, b"c")).messages == [b"c"]
                for link in endpoint._links:
                    link.believe()
                lanes = [each.begin(head()) for each in (known, another)]
                await asyncio.gather(known.flushed(), another.flushed())
                await until(lambda: all(link.lanes for link in endpoint._links))
                async with raw(port) as (reader, _):
                    with contextlib.suppress(ConnectionError):
                        assert await asyncio.wait_for(reader.read(1), 5) == b""
                    assert len(endpoint._links) == 2
                for lane in lanes:
                    await lane.send(frame(b"d"), end=True)
                    assert (await answered(lane)).messages == [b"d"]
                await until(lambda: not any(link.lanes for link in endpoint._links))
                async with connected(port) as last:
                    assert (await asked(last, b"e")).messages == [b"e"]
                    await until(lambda: known.gone)
                    assert not another.gone


async def test_tls_takes_http2_and_nothing_else(tmp_path):
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(cert))
    async with served(echo, tls(str(cert), str(key))) as (endpoint, port):
        context.set_alpn_protocols(["h2"])
        async with connected(port, context) as client:
            assert (await asked(client, b"a")).messages == [b"a"]
        context.set_alpn_protocols(["http/1.1"])
        with contextlib.suppress(ConnectionError):  # where the end comes before the handshake's
            async with connected(port, context) as client:
                await until(lambda: client.gone)
        assert not [link for link in endpoint._links if not link.gone]


def test_a_certificate_without_its_key_is_none(tmp_path):
    cert, _ = certificate(tmp_path)
    with pytest.raises(OSError, match=r"(?i)key|PEM"):
        tls(str(cert), "")
    locked = serialization.BestAvailableEncryption(b"secret")
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "locked.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    with pytest.raises(ssl.SSLError):  # and nobody is asked for its password
        tls(str(cert), str(tmp_path / "locked.key"))
    with pytest.raises(FileNotFoundError):
        tls(str(tmp_path / "missing.pem"), "")


async def test_once_it_left_nobody_comes_in():
    async with served(echo) as (endpoint, port), connected(port) as client:
        await asked(client, b"a")
        endpoint.leave()
        await until(lambda: client.closing)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


# -- those who say nothing ------------------------------------------------------------------------------------------


def ended(why):
    return metrics.REGISTRY.get_sample_value("phigate_connections_ended_total", {"why": why}) or 0


async def over(reader):
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(4096), 5):
            pass
    return True


async def test_of_one_address_strangers_make_room_for_each_other_and_for_whoever_is_none():
    doors, before = open_doors(most_strangers=3), ended("crowd")
    async with served(echo, doors=doors) as (endpoint, port), connected(port) as known:
        await asked(known, b"a")
        next(iter(endpoint._links)).believe()
        async with contextlib.AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(raw(port)) for _ in range(3)]
            await until(lambda: doors.hall.strangers == 3)
            more = [await stack.enter_async_context(raw(port)) for _ in range(2)]
            assert all([await over(reader) for reader, _ in idle[:2]])
            assert ended("crowd") == before + 2
            assert doors.hall.strangers == 3
            assert not more[0][0].at_eof()
            async with connected(port) as new:
                assert (await asked(new, b"b")).messages == [b"b"]
            assert (await asked(known, b"c")).messages == [b"c"]
        await until(lambda: len(endpoint._visits) == 1)
    await until(lambda: not doors.hall.peers)
    assert (doors.hall.strangers, doors._guests) == (0, {})


async def test_where_the_doors_let_nobody_in_a_connection_is_closed():
    async with served(echo, doors=open_doors(most=0)) as (endpoint, port), raw(port) as (reader, _):
        assert await over(reader)
        assert not endpoint._visits


async def test_whoever_never_greets_tls_has_a_place_and_loses_it(tmp_path):
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(cert))
    context.set_alpn_protocols(["h2"])
    doors = open_doors(most_strangers=2)
    async with (
        served(echo, tls(str(cert), str(key)), doors) as (endpoint, port),
        raw(port) as (first, _),
        raw(port) as (second, _),
    ):
        await until(lambda: doors.hall.strangers == 2)
        assert not endpoint._links
        async with connected(port, context) as client:
            assert (await asked(client, b"a")).messages == [b"a"]
            assert await over(first)
            assert not second.at_eof()
    await until(lambda: not doors.hall.peers)


async def test_a_handshake_has_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HANDSHAKE", 0.1)
    cert, key = certificate(tmp_path)
    before = ended("slow-head")
    async with served(echo, tls(str(cert), str(key))) as (endpoint, port), raw(port) as (reader, _):
        assert await over(reader)
        await until(lambda: not endpoint._visits)
    assert ended("slow-head") == before + 1


async def test_where_the_port_is_full_one_that_never_greets_goes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CONNECTIONS", 2)
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(cert))
    context.set_alpn_protocols(["h2"])
    async with served(echo, tls(str(cert), str(key))) as (endpoint, port), connected(port, context) as known:
        await asked(known, b"a")
        next(iter(endpoint._links)).believe()
        async with raw(port) as (silent, _), connected(port, context) as client:
            assert (await asked(client, b"b")).messages == [b"b"]
            assert await over(silent)
            assert (await asked(known, b"c")).messages == [b"c"]


async def test_at_its_end_also_those_that_never_greeted_are_closed(tmp_path):
    cert, key = certificate(tmp_path)
    async with served(echo, tls(str(cert), str(key))) as (endpoint, port), raw(port) as (reader, _):
        await until(lambda: endpoint._visits)
        endpoint.close()
        assert await over(reader)
        assert not endpoint._visits


@pytest.mark.parametrize("fault", [errno.EMFILE, errno.ECONNABORTED])
async def test_where_none_can_be_taken_the_next_one_is(monkeypatch, fault):
    monkeypatch.setattr(module, "AGAIN", 0.01)
    loop = asyncio.get_running_loop()
    takes, broken = loop.sock_accept, [OSError(fault, "x")]

    async def accept(bound):
        if broken:
            raise broken.pop()
        return await takes(bound)

    monkeypatch.setattr(loop, "sock_accept", accept)
    async with served(echo) as (_, port), connected(port) as client:
        assert (await asked(client, b"a")).messages == [b"a"]
        assert not broken


async def test_where_a_connection_cannot_be_let_in_the_next_one_is(monkeypatch, caplog):
    doors = open_doors()
    lets_in, broken = doors.guest, [RuntimeError("Jane Doe")]

    def guest(address, end):
        if broken:
            raise broken.pop()
        return lets_in(address, end)

    monkeypatch.setattr(doors, "guest", guest)
    async with served(echo, doors=doors) as (_, port):
        async with raw(port) as (reader, _):
            assert await over(reader)
        async with connected(port) as client:
            assert (await asked(client, b"a")).messages == [b"a"]
    assert "not taken" in caplog.text
    assert "Jane" not in caplog.text
