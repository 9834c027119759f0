"""Files and pipes: bounded, whole, and quiet when somebody goes away."""

import io
import stat
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from phigate import streams
from phigate.options import ROOT
from phigate.streams import Input, StreamFault, leaving_quietly, output, progress, some


@pytest.fixture
def files(tmp_path):
    def make(*contents):
        paths = [tmp_path / f"{number}.txt" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return [str(path) for path in paths]

    return make


def test_lines_have_their_number_and_place(files):
    (one,) = files(b"a\n\nb")
    assert [(line.number, line.raw, line.where) for line in Input([one]).lines()] == [
        (1, b"a\n", "line 1"),
        (2, b"\n", "line 2"),
        (3, b"b", "line 3"),
    ]


def test_of_several_files_each_has_its_name(files):
    one, two = files(b"a\n", b"b\n")
    assert [line.where for line in Input([one, two]).lines()] == [f"{one}:1", f"{two}:1"]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_that_is_too_long_is_a_fault_and_the_next_one_is_read(files, monkeypatch, end):
    monkeypatch.setattr(streams, "LONGEST", 10)
    monkeypatch.setattr(streams, "PIECE", 4)
    lines = list(Input(files(b"x" * 35 + end + b"short\n" * bool(end))).lines())
    assert (lines[0].raw, lines[0].fault) == (b"", "longer than 10 bytes")
    assert [line.raw for line in lines[1:]] == [b"short\n"] * bool(end)


def test_pieces_are_the_text_wherever_they_are_cut(files, monkeypatch):
    monkeypatch.setattr(streams, "PIECE", 3)
    text = "Straße \U0001f600\r\nfine"
    assert "".join(Input(files(text.encode())).pieces()) == text


def test_what_is_no_text_is_replaced(files):
    assert "".join(Input(files(b"a\xff", b"b\xc3")).pieces()) == "a\ufffdb\ufffd"


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StreamFault, match=r"missing: no such file"):
        list(Input([str(tmp_path / "missing")]).lines())


def test_standard_input_is_read_where_no_file_is_named(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n")))
    assert [line.raw for line in Input([]).lines()] == [b"a\n"]


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "out"
    with output(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_breaks_off_leaves_nothing(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    writing = output(path)
    writing.__enter__().write(b"half")
    assert not writing.__exit__(KeyError, KeyError(), None)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(StreamFault, match="no such file or directory"), output(tmp_path / "no" / "out"):
        pass


def test_a_device_is_written_and_not_replaced(tmp_path):
    import os  # noqa: PLC0415 -- for this one case

    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with output(path) as file:
        file.write(b"sent")
    assert os.read(reader, 10) == b"sent"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_bar_is_only_for_who_watches_and_has_no_thread(files):
    with progress(Console(file=io.StringIO()), "scanning") as bar:
        assert bar is None
    seen = io.StringIO()
    with progress(Console(file=seen, force_terminal=True, width=100), "scanning") as bar:
        assert bar is not None
        before = threading.active_count()
        list(Input(files(b"a\n"), bar).lines())
        assert threading.active_count() == before
    assert "scanning" in seen.getvalue()


def test_the_bar_knows_the_size_of_files_and_not_of_pipes(files):
    with progress(Console(file=io.StringIO(), force_terminal=True), "") as bar:
        source = Input(files(b"12345", b"678"), bar)
        assert bar.tasks[0].total == 8
        list(source.lines())
        assert bar.tasks[0].completed == 8
        Input([], bar)
        assert bar.tasks[1].total is None


def test_ctrl_c_ends_without_a_word():
    with pytest.raises(SystemExit) as ended, leaving_quietly():
        raise KeyboardInterrupt
    assert ended.value.code == 130


def test_a_reader_that_goes_away_ends_it_without_a_word():
    code = (
        "import sys\nfrom phigate.streams import leaving_quietly\n"
        "with leaving_quietly():\n    while True: sys.stdout.buffer.write(b'x' * 65536)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "addons")},
    )
    child.stdout.read(10)
    child.stdout.close()
    assert child.wait(20) == 141
    assert child.stderr.read() == b""
    child.stderr.close()


def test_some_are_the_first_or_all():
    assert (list(some("abc", 2)), list(some("abc", None)), list(some("abc", 9))) == (["a", "b"], [*"abc"], [*"abc"])
