"""The port: how many connections it keeps, what TLS it takes, and that one broken call ends alone."""

import asyncio
import contextlib
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from phigate.rpc import endpoint as module
from phigate.rpc.endpoint import tls
from phigate.rpc.framing import frame
from phigate.rpc.link import LaneBroken
from tests.grpc_peer import certificate
from tests.rpc.wire import answered, asked, connected, echo, head, raw, served
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
        next(iter(endpoint._links)).believed = True
        async with connected(port) as stranger:
            await until(lambda: len(endpoint._links) == 2)
            async with connected(port) as another:
                assert (await asked(another, b"b")).messages == [b"b"]
                await until(lambda: stranger.gone)
                assert (await asked(known, b"c")).messages == [b"c"]
                for link in endpoint._links:
                    link.believed = True
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
