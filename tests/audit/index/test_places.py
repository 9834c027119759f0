import pytest

from phigate.audit.index import places
from phigate.journal import zst

LINES = [b"%d %s\n" % (n, b"x" * (n * 37 % 500)) for n in range(3000)]
OFFSETS = [sum(map(len, LINES[:n])) for n in range(len(LINES))]


@pytest.fixture(params=["plain", "one frame", "many frames"])
def path(request, tmp_path):
    whole = b"".join(LINES)
    if request.param == "plain":
        path = tmp_path / "gw.jsonl"
        path.write_bytes(whole)
        return path
    path = tmp_path / "gw.jsonl.zst"
    step = len(whole) if request.param == "one frame" else 100_000
    path.write_bytes(b"".join(zst.packed(whole[start : start + step] for start in range(0, len(whole), step))))
    return path


def test_lines_are_found_at_their_places(path):
    wanted = [(OFFSETS[n], len(LINES[n])) for n in (0, 1, 7, 1500, 2998, 2999)]
    assert list(places.lines_at(path, wanted)) == [LINES[n] for n in (0, 1, 7, 1500, 2998, 2999)]


def test_behind_the_end_there_is_less(path):
    end = OFFSETS[-1] + len(LINES[-1])
    assert list(places.lines_at(path, [(end - 2, 10), (end + 100, 10)])) == [LINES[-1][-2:], b""]


def test_its_size_is_the_plain_one(path):
    assert places.size_of(path) == sum(map(len, LINES))
