"""What npm installs for the peers is named by version and hash, and never by where it comes from."""

import json
import re

import pytest

from tests.peers.oidc_provider import PACKAGES, SOURCE, tool

LOCK = json.loads((SOURCE / "package-lock.json").read_text())
ENTRIES = {name: entry for name, entry in LOCK["packages"].items() if name}


def test_the_lock_is_of_what_is_asked_for():
    (asked,) = json.loads((SOURCE / "package.json").read_text())["dependencies"].items()
    assert LOCK["packages"][""]["dependencies"] == dict([asked])
    assert ENTRIES[f"node_modules/{asked[0]}"]["version"] == asked[1]
    assert len(ENTRIES) > 30


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_has_a_version_and_a_hash_and_runs_nothing(name):
    entry = ENTRIES[name]
    assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", entry["integrity"])
    assert not {"resolved", "funding", "hasInstallScript"} & entry.keys()


@pytest.mark.parametrize("name", PACKAGES)
def test_no_address_is_in_it(name):
    assert "://" not in (SOURCE / name).read_text()


@pytest.mark.parametrize("name", ["node", "npm"])
def test_what_is_missing_skips_and_says_so(monkeypatch, name):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match=f"{name} is not on PATH"):
        tool(name)
