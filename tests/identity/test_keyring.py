"""The gateway's own keys: two at a time, shared, rotated, and safe in their folder."""

import concurrent.futures
import fcntl
import hashlib
import json
import logging
import multiprocessing
import os
import stat
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from phigate.identity import keyring as keyrings
from phigate.identity.jwks import KeySet, parse_jwks
from phigate.identity.keyring import LEAD, LEASE, LINGER, LOOK, KeyringFault, open_keyring
from phigate.identity.strict import from_base64url, to_base64url

NOW = 1_800_000_000.0
WEEK = timedelta(days=7)
ROTATE = WEEK.total_seconds()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys"


def opened(folder, now=NOW, rotate=WEEK, instance="one"):
    return open_keyring(folder, instance, now, rotate)


def files(folder):
    return sorted(path.name for path in folder.glob("*.pem"))


def kids(keyring, now, rotate=WEEK):
    """Of all keys at hand, in the order of their use."""
    return [key.kid for key in sorted(keyring._current(now, rotate), key=lambda key: key.active_from)]


def publish_all(keyring, now, rotate=WEEK):
    due = keyring.due(now, rotate)
    for key in due:
        keyring.published(key)
    return due


def test_there_are_two_keys_in_files_that_only_their_owner_reads(folder):
    keyring = opened(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert files(folder) == sorted(f"gateway-{kid}.pem" for kid in kids(keyring, NOW))
    assert len(files(folder)) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_key_is_named_by_its_thumbprint_and_what_it_signs_is_checked_by_what_is_published(folder):
    keyring = opened(folder)
    signing = keyring.active(NOW)
    (public,) = [key.public for key in keyring.due(NOW, WEEK) if key.kid == signing.kid]
    # RFC 7638 section 3: the members that are required, in order, without blanks
    members = json.dumps({name: public[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    assert to_base64url(hashlib.sha256(members.encode()).digest()) == signing.kid
    raw = from_base64url(public["x"])
    Ed25519PublicKey.from_public_bytes(raw).verify(signing.sign(b"words"), b"words")
    assert "d" not in public


def test_the_published_keys_are_a_key_set_that_bearers_are_checked_by(folder):
    keyring = opened(folder)
    found = parse_jwks(json.dumps({"keys": [key.public for key in keyring.due(NOW, WEEK)]}).encode())
    assert isinstance(found, KeySet)
    assert found.dropped == {}
    signing = keyring.active(NOW)
    assert found.pick("EdDSA", signing.kid).verify(b"words", signing.sign(b"words"))


def test_a_key_is_published_long_before_it_is_used(folder):
    keyring = opened(folder)
    first, second = kids(keyring, NOW)
    due = {key.kid: key for key in keyring.due(NOW, WEEK)}
    assert set(due) == {first, second}
    assert due[first].active_from == NOW
    assert due[second].active_from == NOW + ROTATE
    assert due[first].instance == "one"


def test_after_a_restart_the_keys_are_the_same(folder):
    assert kids(opened(folder), NOW) == kids(opened(folder, NOW + 100), NOW + 100)


def test_the_next_key_takes_over_when_its_time_has_come_and_the_old_private_half_is_gone(folder):
    keyring = opened(folder)
    first, second = kids(keyring, NOW)
    publish_all(keyring, NOW)
    assert keyring.active(NOW + ROTATE - 1).kid == first
    later = NOW + ROTATE
    assert keyring.active(later).kid == second
    (*_, third) = [key.kid for key in publish_all(keyring, later)]
    assert kids(keyring, later) == [second, third]
    assert f"gateway-{first}.pem" not in files(folder)
    assert len(files(folder)) == 2


def test_over_a_year_there_are_always_two_and_each_was_published_before_its_first_use(folder):
    keyring, seen, at = opened(folder), {}, NOW
    while at < NOW + 366 * 86400:
        for key in publish_all(keyring, at):
            seen.setdefault(key.kid, at)
        used = keyring.active(at).kid
        assert seen[used] == NOW or seen[used] <= at - LEAD
        assert len(files(folder)) == 2
        at += 7200
    assert len(seen) == 366 // 7 + 2


def test_a_public_key_stays_until_the_last_bearer_it_could_have_signed_is_over(folder):
    keyring = opened(folder, rotate=timedelta(hours=3))
    ends, at = {}, NOW
    while at < NOW + 86400:
        for key in publish_all(keyring, at, timedelta(hours=3)):
            ends[key.kid] = max(ends.get(key.kid, 0), key.expires)
        assert ends[keyring.active(at).kid] >= at + 900 + 60  # a bearer of ours lives 15 minutes at most
        at += 30


def test_the_keys_of_a_gateway_that_is_gone_fade(folder):
    assert all(key.expires <= NOW + 2 * LEASE + LINGER for key in opened(folder).due(NOW, WEEK))


def test_what_the_ledger_has_is_not_offered_again_until_its_time_is_longer(folder):
    keyring = opened(folder)
    assert len(keyring.due(NOW, WEEK)) == 2
    assert len(keyring.due(NOW + 1, WEEK)) == 2  # nobody said that the ledger took them
    publish_all(keyring, NOW + 2)
    assert keyring.due(NOW + 3, WEEK) == []
    assert len(keyring.due(NOW + LEASE + 1, WEEK)) == 2


def test_a_ledger_that_lost_the_keys_gets_them_again(folder):
    keyring = opened(folder)
    publish_all(keyring, NOW)
    assert len(keyring.due(NOW + LOOK + 1, WEEK)) == 2


def test_after_a_long_pause_the_next_key_is_used_and_another_one_is_published_first(folder):
    _, second = kids(opened(folder), NOW)
    late = NOW + 5 * ROTATE
    keyring = opened(folder, late)
    assert keyring.active(late).kid == second
    third = next(key for key in keyring.due(late, WEEK) if key.kid != second)
    assert third.active_from == late + LEAD
    assert keyring.active(late + LEAD).kid == third.kid


def test_a_shorter_rotation_counts_at_once(folder):
    keyring = opened(folder, rotate=timedelta(days=90))
    first, second = kids(keyring, NOW)
    due = {key.kid: key for key in keyring.due(NOW + 86400, WEEK)}
    assert set(due) > {first}
    assert second not in due
    assert max(key.active_from for key in due.values()) == NOW + ROTATE
    assert len(files(folder)) == 2


def test_a_clock_that_goes_back_leaves_a_key_to_sign_with(folder):
    first, _ = kids(opened(folder), NOW)
    keyring = opened(folder, NOW - 86400)
    assert keyring.active(NOW - 86400).kid == first
    assert keyring.due(NOW - 86400, WEEK)


# -- a folder that is shared ----------------------------------------------------------------------------------------


def test_two_gateways_with_one_folder_use_the_same_keys_and_rotate_together(folder):
    one, two = opened(folder), opened(folder, instance="two")
    assert kids(one, NOW) == kids(two, NOW)
    later = NOW + ROTATE + 5
    one.due(later, WEEK)
    assert two.active(later).kid == one.active(later).kid
    two.due(later, WEEK)
    assert kids(one, later) == kids(two, later)
    assert len(files(folder)) == 2


def test_a_gateway_whose_clock_is_behind_goes_on_signing(folder):
    one, behind = opened(folder), opened(folder, instance="two")
    first, second = kids(one, NOW)
    one.due(NOW + ROTATE, WEEK)
    behind.due(NOW + ROTATE - 3, WEEK)
    assert behind.active(NOW + ROTATE - 3).kid in {first, second}


def _opens(folder):
    return kids(opened(folder), NOW)


def test_many_gateways_that_start_at_once_agree(folder):
    with concurrent.futures.ProcessPoolExecutor(6, multiprocessing.get_context("spawn")) as processes:
        found = list(processes.map(_opens, [folder] * 24))
    assert all(each == found[0] for each in found)
    assert len(files(folder)) == 2


def test_a_folder_that_another_process_holds_is_left_to_it_while_running(folder):
    keyring = opened(folder)
    before = kids(keyring, NOW)
    with (folder / "gateway.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        later = NOW + ROTATE + 1
        assert keyring.due(later, WEEK)
        assert keyring.active(later).kid == before[1]
        assert len(files(folder)) == 2
    keyring.due(later, WEEK)
    assert f"gateway-{before[0]}.pem" not in files(folder)


def test_a_folder_that_another_process_keeps_is_a_fault_at_the_start(folder, monkeypatch):
    monkeypatch.setattr(keyrings, "PATIENCE", 0.2)
    opened(folder)
    with (folder / "gateway.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(KeyringFault, match=r"gateway\.lock: another process holds it"):
            opened(folder)


def test_what_a_crash_left_unfinished_is_cleared_away(folder):
    opened(folder)
    rest = folder / f".gateway-{'A' * 43}.new"
    rest.touch(0o600)
    opened(folder)
    assert not rest.exists()


# -- a folder that is not right -------------------------------------------------------------------------------------


def _key_text(private, head=b"active-from: 1800000000\n"):
    return head + private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _one(folder):
    return next(iter(folder.glob("*.pem")))


def _replace(folder, raw):
    path = _one(folder)
    path.write_bytes(raw)


def _link(folder):
    path = _one(folder)
    path.rename(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")


def _pipe(folder):
    path = _one(folder)
    path.unlink()
    os.mkfifo(path, 0o600)


OTHER = Ed25519PrivateKey.generate()
FAULTS = [
    ("a key that others read", lambda f: _one(f).chmod(0o640), "must be readable by its owner only (mode 600)"),
    ("a key that all write", lambda f: _one(f).chmod(0o602), "must be readable by its owner only (mode 600)"),
    ("a folder that others look into", lambda f: f.chmod(0o750), "must be for its owner only (mode 700)"),
    ("a folder that others write to", lambda f: f.chmod(0o702), "must be for its owner only (mode 700)"),
    ("a link in a key's place", _link, "too many levels of symbolic links"),
    ("a pipe in a key's place", _pipe, "is not a file"),
    ("another key of a gateway", lambda f: _replace(f, _key_text(OTHER)), "holds another key than its name says"),
    ("no date", lambda f: _replace(f, _key_text(OTHER, b"")), "is not a key that a gateway wrote"),
    ("a date of its own kind", lambda f: _replace(f, _key_text(OTHER, b"active-from: -1\n")), "is not a key that a"),
    ("nothing", lambda f: _replace(f, b""), "is not a key that a gateway wrote"),
    ("half a key", lambda f: _replace(f, _key_text(OTHER)[:90]), "is not a key that a gateway wrote"),
    ("far too much", lambda f: _replace(f, _key_text(OTHER) + b"\n" * 5000), "is not a key that a gateway wrote"),
]


@pytest.mark.parametrize(("sentence", "spoil", "said"), FAULTS, ids=[case[0] for case in FAULTS])
def test_a_gateway_does_not_start_with(sentence, spoil, said, folder):
    opened(folder)
    spoil(folder)
    with pytest.raises(KeyringFault) as fault:
        opened(folder)
    assert said in str(fault.value)
    assert str(folder) in str(fault.value)
    assert "BEGIN" not in str(fault.value)


def test_a_file_where_the_folder_should_be_is_a_fault(tmp_path):
    (tmp_path / "keys").touch()
    with pytest.raises(KeyringFault, match="file exists"):
        opened(tmp_path / "keys")


def test_a_folder_that_breaks_later_is_said_once_and_the_keys_at_hand_stay(folder, caplog):
    keyring = opened(folder)
    second = kids(keyring, NOW)[1]
    _one(folder).chmod(0o644)
    with caplog.at_level(logging.ERROR):
        for second_past in range(3):
            assert keyring.due(NOW + ROTATE + second_past, WEEK)
            assert keyring.active(NOW + ROTATE + second_past).kid == second
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "must be readable by its owner only (mode 600)"
    ]


def test_other_files_of_the_folder_are_left_alone(folder):
    folder.mkdir(mode=0o700)
    (folder / "secrets").write_text("1 abc")
    opened(folder)
    assert (folder / "secrets").read_text() == "1 abc"


def test_no_private_half_shows_where_a_key_is_shown(folder):
    keyring = opened(folder)
    shown = repr(keyring.active(NOW)) + repr(keyring._keys) + repr(keyring.due(NOW, WEEK))
    assert "Private" not in shown
    assert "sign" not in repr(keyring.active(NOW)).replace("SigningKey", "")
