"""The kernel dumps nothing of a gateway, lets nobody attach, and its files are its own."""

import json
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from phigate.host import kernel
from processes import ROOT

LINUX = sys.platform == "linux"


def run(text, folder):
    """A process of its own: what it says as JSON, and how it ended."""
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'addons')!r})\n" + textwrap.dedent(text)
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=folder, capture_output=True, check=False)
    return json.loads(done.stdout or b"null"), done.returncode


def test_nothing_is_dumped_and_nobody_attaches(tmp_path):
    was = resource.getrlimit(resource.RLIMIT_CORE)
    said, _ = run(
        f"""
        import json, resource
        resource.setrlimit(resource.RLIMIT_CORE, ({was[1]}, {was[1]}))
        from phigate.host import kernel
        linux = sys.platform == "linux"
        before = linux and kernel.dumpable()
        kernel.keep()
        print(json.dumps([before, linux and kernel.dumpable(), resource.getrlimit(resource.RLIMIT_CORE)]))
        """,
        tmp_path,
    )
    assert said == [LINUX, False, [0, 0]]


def test_new_files_and_folders_are_the_owners_alone(tmp_path):
    run("from phigate.host import kernel; kernel.keep(); open('file', 'w').close(); import os; os.mkdir('a')", tmp_path)
    assert oct((tmp_path / "file").stat().st_mode & 0o777) == "0o600"
    assert oct((tmp_path / "a").stat().st_mode & 0o777) == "0o700"


@pytest.mark.skipif(not LINUX, reason="only Linux has prctl")
@pytest.mark.parametrize("result", [-1, 0], ids=["it fails", "it changes nothing"])
def test_a_kernel_that_does_not_do_it_is_a_fault(monkeypatch, result):
    was = kernel.os.umask(0o022)
    monkeypatch.setattr(kernel, "prctl", lambda what, _value=0: result if what == kernel.PR_SET_DUMPABLE else 1)
    monkeypatch.setattr(kernel.resource, "setrlimit", lambda *_: None)
    try:
        with pytest.raises(kernel.NotKept):
            kernel.keep()
    finally:
        kernel.os.umask(was)


def test_a_file_that_was_open_already_becomes_the_owners_alone(tmp_path):
    (tmp_path / "flows").touch(0o644)
    with (tmp_path / "flows").open("ab") as file:
        kernel.own(file)
    assert oct((tmp_path / "flows").stat().st_mode & 0o777) == "0o600"
    with Path("/dev/null").open("wb") as device:
        before = kernel.os.fstat(device.fileno()).st_mode
        kernel.own(device)
        assert kernel.os.fstat(device.fileno()).st_mode == before


def test_a_file_that_is_somebody_elses_is_a_fault(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(kernel.os, "fchmod", refuse)
    with (tmp_path / "flows").open("ab") as file, pytest.raises(kernel.NotKept):
        kernel.own(file)
