"""What becomes of a run whose peers cannot be installed: skipped where nobody can help it, else failed."""

import pytest

from tests.peers.apart import install

OUT_OF_REACH = "Peer cannot be installed: its packages, or a Python for them, are out of reach"
LOCK = f"phigate-no-such-peer==1.0 --hash=sha256:{'0' * 64}\n"


def test_packages_out_of_reach_skip_and_say_so(tmp_path, monkeypatch):
    (tmp_path / "lock.txt").write_text(LOCK)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(pytest.skip.Exception, match=OUT_OF_REACH):
        install("Peer", tmp_path / "lock.txt", tmp_path / "environment")


def test_a_python_out_of_reach_skips_and_says_so(tmp_path):
    (tmp_path / "lock.txt").write_text(LOCK)
    with pytest.raises(pytest.skip.Exception, match=OUT_OF_REACH):
        install("Peer", tmp_path / "lock.txt", tmp_path / "environment", ("3.99", "3.98"))


def test_a_lock_that_is_not_there_fails(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="Peer: "):
        install("Peer", tmp_path / "lock.txt", tmp_path / "environment")
