from __future__ import annotations

import io
import random

import pytest
import zstandard

from phigate.journal import zst

PLAIN = b"".join(b"line %d of a file\n" % number for number in range(200))


def made(plain: bytes, size: int = 700) -> bytes:
    return b"".join(zst.packed(plain[at : at + size] for at in range(0, len(plain), size)))


def read(packed: bytes) -> bytes:
    return io.BufferedReader(zst.Plain(io.BytesIO(packed))).read()


@pytest.mark.parametrize("plain", [b"", b"x", PLAIN, random.Random(1).randbytes(zst.FRAME)], ids=len)
def test_what_is_packed_is_read_again_here_and_by_any_other_reader(plain: bytes) -> None:
    packed = made(plain, zst.FRAME)
    assert read(packed) == plain
    usual = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed), read_across_frames=True)
    assert usual.read() == plain


def test_any_place_is_read_by_itself() -> None:
    file = io.BufferedReader(zst.Plain(io.BytesIO(made(PLAIN))), 64)
    for place in (0, 699, 700, 701, 1399, len(PLAIN) - 3):
        file.seek(place)
        assert file.read(1500) == PLAIN[place : place + 1500]
    assert file.seek(0, io.SEEK_END) == len(PLAIN)
    assert file.read() == b""
    file.seek(-9, io.SEEK_END)
    assert file.readline() == b"f a file\n"


def test_a_piece_that_makes_no_frame_is_our_own_bug() -> None:
    with pytest.raises(ValueError, match="larger"):
        list(zst.packed([b"x" * (zst.FRAME + 1)]))


SMALL = made(PLAIN[:1200])


def test_every_changed_byte_is_found() -> None:
    """Also in the frames' headers and in the table, but for bits that say nothing: then nothing else changes."""
    for at in range(len(SMALL)):
        changed = SMALL[:at] + bytes([SMALL[at] ^ 0x41]) + SMALL[at + 1 :]
        try:
            assert read(changed) == PLAIN[:1200]
        except zst.Damaged:
            continue


def test_wherever_it_is_cut_it_is_no_shorter_file() -> None:
    for size in range(len(SMALL)):
        with pytest.raises(zst.Damaged):
            read(SMALL[:size])


def table(*rows: tuple[int, int]) -> bytes:
    body = b"".join(a.to_bytes(4, "little") + b.to_bytes(4, "little") for a, b in rows)
    body += len(rows).to_bytes(4, "little") + b"\0" + (0x8F92EAB1).to_bytes(4, "little")
    return (0x184D2A5E).to_bytes(4, "little") + len(body).to_bytes(4, "little") + body


BOMB = zstandard.ZstdCompressor().compress(bytes(64 * zst.FRAME))
ONE = zstandard.ZstdCompressor().compress(b"one")


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(BOMB + table((len(BOMB), zst.FRAME)), id="a frame that makes more of itself"),
        pytest.param(BOMB + table((len(BOMB), 64 * zst.FRAME)), id="and says so"),
        pytest.param(ONE + table((len(ONE), 4)), id="less than it says"),
        pytest.param(ONE + ONE + table((2 * len(ONE), 3)), id="two frames in the place of one"),
        pytest.param(ONE + b"more" + table((len(ONE), 3)), id="bytes that the table knows nothing of"),
        pytest.param(ONE + table((len(ONE), 3), (0, 3)), id="a frame of nothing"),
        pytest.param(b"noise", id="no table"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_was_not_written_by_us_is_damaged(packed: bytes) -> None:
    with pytest.raises(zst.Damaged):
        read(packed)


def test_closing_closes_the_file() -> None:
    inner = io.BytesIO(SMALL)
    zst.Plain(inner).close()
    assert inner.closed
