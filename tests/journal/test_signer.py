"""The key of an instance's checkpoints: made once, for its owner only, and never another's."""

import os
import stat

import pytest

from phigate.journal import note
from phigate.journal.disk import JournalFault
from phigate.journal.signer import open_signer, public_keys


def test_it_is_made_at_the_first_start_and_stays(tmp_path):
    first = open_signer(tmp_path / "keys", "gw-1")
    again = open_signer(tmp_path / "keys", "gw-1")
    assert first.vkey == again.vkey
    assert first.vkey.name == "phigate/gw-1"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {"gw-1.journal.key": 0o600, "gw-1.journal.pub": 0o644}
    (public,) = public_keys(tmp_path / "keys")
    assert note.parse_vkey(public.read_text()) == first.vkey


def test_it_signs_notes_that_hold(tmp_path):
    signer = open_signer(tmp_path, "gw-1")
    assert note.holds(note.parse(signer.sign("text\n")), signer.vkey)
    assert open_signer(tmp_path, "gw-2").vkey.public != signer.vkey.public
    assert "rivate" not in repr(signer)


def test_the_public_half_is_written_again_when_it_is_gone_or_another(tmp_path):
    signer = open_signer(tmp_path, "gw-1")
    path = tmp_path / "gw-1.journal.pub"
    path.unlink()
    open_signer(tmp_path, "gw-1")
    assert path.read_text() == f"{signer.vkey}\n"
    path.write_text("another")
    open_signer(tmp_path, "gw-1")
    assert path.read_text() == f"{signer.vkey}\n"


def pipe(path):
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.chmod(0o640), "must be readable by its owner only"),
        (lambda path: path.write_text("junk"), "is not a key that signs checkpoints"),
        (
            lambda path: path.write_text(path.read_text()[:-45] + "B" + path.read_text()[-44:]),
            "is not a key that signs",
        ),
        (lambda path: path.write_text(path.read_text().replace("gw-1", "gw-9")), "is the key of another instance"),
        (pipe, "is not a file"),
        (lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")), "too many levels of symbolic links"),
    ],
)
def test_a_key_that_is_not_safe_or_not_ours_is_refused(tmp_path, spoil, why):
    open_signer(tmp_path, "gw-1")
    path = tmp_path / "gw-1.journal.key"
    held = path.read_text().split("+")[-1]
    spoil(path)
    with pytest.raises(JournalFault, match=why) as told:
        open_signer(tmp_path, "gw-1")
    assert held not in str(told.value)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("instance", ["", "../x", "a/b", "a b"])
def test_a_name_that_is_none(tmp_path, instance):
    with pytest.raises(JournalFault, match="an instance's name"):
        open_signer(tmp_path, instance)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalFault, match="file"):
        open_signer(tmp_path / "file" / "keys", "gw-1")
