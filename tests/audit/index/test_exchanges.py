import pytest

from phigate.audit.index.database import IndexFault, open_index
from phigate.audit.index.exchanges import Wanted, exchanges, records, walk
from tests.journal.samples import NOW, put, request, response

T = NOW.timestamp()


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    put(
        tmp_path,
        "gw-20261123T150405Z-0",
        ("request", request("ex-1")),
        ("request", request("ex-2", name="ben", verb="deny", model="other", session="s2") | {"findings": {"MRN": 1}}),
        ("part", {"exchange": "ex-1", "part": 0, "body": "one"}),
    )
    put(tmp_path, "gw-20261123T160405Z-3", ("response", response("ex-1")), ("request", request("ex-3")), start=60)
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["ex-1", "ex-2", "ex-3"]),
        (Wanted(subject="ben", issuer="https://idp.test", role="clinician", model="other", action="chat"), ["ex-2"]),
        (Wanted(session="s1"), ["ex-1", "ex-3"]),
        (Wanted(role="clin"), []),
        (Wanted(action="embed"), []),
        (Wanted(verb="permit", rule="r"), ["ex-1", "ex-3"]),
        (Wanted(reason="no-rule"), []),
        (Wanted(entity="MRN"), ["ex-1", "ex-2"]),
        (Wanted(outcome="complete"), ["ex-1"]),
        (Wanted(since=T + 2), ["ex-2", "ex-3"]),
        (Wanted(until=T + 2), ["ex-1"]),
        (Wanted(since=T + 2, until=T + 60), ["ex-2"]),
        (Wanted(subject="x' OR 1 --"), []),
    ],
    ids=str,
)
def test_which_are_wanted(folder, wanted, found):
    with open_index(folder) as index:
        assert [row["exchange"] for row in exchanges(index, wanted)] == found
        assert sorted(have[0]["exchange"] for have in walk(index, wanted)) == found


def test_its_records_from_whatever_file(folder):
    with open_index(folder) as index:
        assert [(one["kind"], one.get("body")) for one in records(index, "ex-1")] == [
            ("request", request("ex-1")["body"]),
            ("part", "one"),
            ("response", None),
        ]
        assert records(index, "ex-9") == []
        assert {tuple(one["kind"] for one in have) for have in walk(index)} == {
            ("request", "part", "response"),
            ("request",),
        }


@pytest.mark.parametrize("change", ["cut", "moved", "gone"])
def test_a_file_that_changed_since_is_told(folder, change):
    path = folder / "gw-20261123T150405Z-0.jsonl"
    with open_index(folder) as index:
        raw = path.read_bytes()
        path.unlink()
        if change != "gone":
            path.write_bytes(raw[:100] if change == "cut" else b" " + raw)
        with pytest.raises(IndexFault, match=f"{path.name}: not what it was"):
            records(index, "ex-1")
