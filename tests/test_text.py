"""`phigate scan`, `mask` and `evaluate`, as people and pipes call them."""

import json
import subprocess
import sys

import orjson
import pytest

from phigate.masking import default_detectors
from phigate.options import ROOT
from tests.command import GOOD, OWN, file_of, phigate, process
from tests.traffic import CANARY_NAME, CANARY_SSN, CANARY_TEXT, leaks

# -- scan -----------------------------------------------------------------------------------------------------------


def lines(*items):
    return b"".join(item if isinstance(item, bytes) else orjson.dumps(item) + b"\n" for item in items)


def test_scan_finds_what_the_gateway_finds():
    done = phigate("scan", stdin=lines({"id": 7, "text": CANARY_TEXT}, {"text": "furosemide 40 mg"}))
    first, second = map(json.loads, done.stdout.splitlines())
    expected = [
        {"start": found.start, "end": found.end, "entity": found.entity, "score": found.score}
        for found in default_detectors().find(CANARY_TEXT)
    ]
    assert done.exit_code == 0
    assert first == {"id": 7, "findings": expected}
    assert {found["entity"] for found in expected} == {"PERSON", "MRN", "US_SSN"}
    assert second == {"id": None, "findings": []}


def test_offsets_count_characters():
    text = f"\U0001f600 \u00e9 SSN {CANARY_SSN}"
    (found,) = json.loads(phigate("scan", stdin=lines({"text": text})).stdout)["findings"]
    assert text[found["start"] : found["end"]] == CANARY_SSN


def test_bad_lines_are_told_by_number_and_the_others_go_on():
    good = {"id": "last", "text": "fine"}
    stdin = lines(b"{Quartermaine\n", b"\n", b'["Quartermaine"]\n', {"text": 7}, {"id": 1}, b'"\xff"\n', good)
    done = phigate("scan", stdin=stdin)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "line 1: not JSON",
        "line 3: not an object",
        "line 4: `text` is not a string",
        "line 5: `text` is not a string",
        "line 6: not JSON",
    ]
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["last"]


def test_a_roster_is_found_too(tmp_path):
    roster = file_of(tmp_path / "roster.txt", "ZQ7741\n")
    stdin = lines({"text": "all about zq7741 today"})
    assert json.loads(phigate("scan", stdin=stdin).stdout)["findings"] == []
    (found,) = json.loads(phigate("scan", "--roster", roster, stdin=stdin).stdout)["findings"]
    assert (found["start"], found["end"], found["entity"]) == (10, 16, "MRN")


ROSTERS = [("that is not there", None, "cannot be read"), ("without an entry", b"\n", "no entry")]


@pytest.mark.parametrize(("sentence", "content", "said"), ROSTERS, ids=[case[0] for case in ROSTERS])
def test_a_roster_is_refused(tmp_path, sentence, content, said):
    path = tmp_path / "roster.txt"
    if content is not None:
        path.write_bytes(content)
    done = phigate("scan", "--roster", path)
    assert done.exit_code == 1
    assert said in done.stderr


def test_detectors_of_ones_own_are_found_too(tmp_path):
    own = file_of(tmp_path / "own.yaml", OWN)
    (found,) = json.loads(phigate("scan", "--detectors", own, stdin=lines({"text": "shoe 4711"})).stdout)["findings"]
    assert found["entity"] == "UNIQUE_ID"
    done = phigate("scan", "--detectors", file_of(own, "version: 2"), stdin=b"")
    assert done.exit_code == 1
    assert f"{own}:1: version: must be `1`, not `2`" in done.stderr


def test_evidence_is_told_when_asked_and_text_only_then():
    done = phigate("scan", "--explain", stdin=lines({"text": CANARY_TEXT}))
    told = json.loads(done.stdout)
    assert {one["verdict"] for one in told["evidence"]} >= {"kept"}
    assert all(one["detector"] for one in told["findings"])
    assert leaks(done.stdout) == []
    shown = json.loads(phigate("scan", "--show-text", stdin=lines({"text": CANARY_TEXT})).stdout)
    assert CANARY_SSN in {one["text"] for one in shown["findings"]}


@pytest.mark.parametrize("unit", ["whole", "paragraph", "line"])
def test_plain_text_is_scanned(tmp_path, unit):
    data = file_of(tmp_path / "text.txt", f"\u00e9\n\nSSN {CANARY_SSN}\n")
    done = phigate("scan", "--format", "text", "--unit", unit, data)
    (found,) = map(json.loads, done.stdout.splitlines())
    assert (found["line"], found["start"], found["end"]) == (3, 7, 18)


def test_fields_are_named_and_workers_keep_the_order(tmp_path):
    data = file_of(tmp_path / "data.jsonl", lines(*({"id": n, "a": {"b": f"SSN {CANARY_SSN}"}} for n in range(50))))
    out = tmp_path / "out.jsonl"
    done = phigate("scan", "--field", "a.b", "--workers", 2, "-o", out, data)
    assert (done.exit_code, done.stdout) == (0, "")
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["id"] for one in told] == list(range(50))
    assert {one["findings"][0]["field"] for one in told} == {"a.b"}


REFUSED = [
    (["--format", "pdf"], "--format: not one of text, jsonl"),
    (["--unit", "line"], "--unit is for --format text"),
    (["--format", "text", "--unit", "word"], "--unit: not one of whole, paragraph, line"),
    (["--format", "text", "--field", "a"], "--field is for JSON lines"),
    (["--format", "text", "--workers", "2"], "--workers: one text is read by one process"),
    (["--bias", "high"], "--bias: not one of recall, balanced, precision"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[" ".join(case[0]) for case in REFUSED])
def test_scan_refuses(words, said):
    done = phigate("scan", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_reader_that_goes_away_ends_a_scan(tmp_path):
    data = file_of(tmp_path / "data.jsonl", lines({"text": f"SSN {CANARY_SSN}"}) * 20_000)
    child = subprocess.Popen(
        [sys.executable, "-m", "phigate.cli", "scan", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "addons")},
    )
    child.stdout.close()
    assert child.wait(60) == 141
    assert child.stderr.read() == b""
    child.stderr.close()


# -- mask -----------------------------------------------------------------------------------------------------------

KEYS = "1 " + "ab" * 32


@pytest.fixture
def masked(tmp_path, monkeypatch):
    """`phigate mask` under a policy of its own."""
    monkeypatch.setenv("PHIGATE_TEST_KEYS", KEYS)
    policy = file_of(tmp_path / "policy.yaml", GOOD)

    def run(text, *more, name="lean"):
        words = ["mask", "--mask", name, "--policy", policy, "--secrets", "env:PHIGATE_TEST_KEYS", *more]
        return phigate(*words, stdin=text if isinstance(text, bytes) else text.encode())

    return run


def test_text_is_masked_as_an_answer_would_be(masked):
    done = masked(CANARY_TEXT)
    assert (done.exit_code, done.stderr) == (0, "")
    assert leaks(done.stdout) == []
    assert "[US_SSN]" in done.stdout
    assert done.stdout.endswith("Stable on furosemide 40 mg.")


def test_nothing_in_nothing_out(masked):
    assert masked("").stdout == ""


def test_reveal_hides_nothing(masked):
    assert masked(CANARY_TEXT, name="reveal").stdout == CANARY_TEXT


def test_stand_ins_agree_within_a_scope_and_not_beyond(masked):
    one, two, other = masked(CANARY_TEXT), masked(CANARY_TEXT), masked(CANARY_TEXT, "--scope", "other")
    assert one.stdout == two.stdout
    assert one.stdout != other.stdout


def test_the_policys_own_roster_counts_as_in_the_gateway(tmp_path, masked):
    file_of(tmp_path / "names.txt", "Xylo Brontide\n")
    file_of(tmp_path / "policy.yaml", GOOD.replace("rules:", "roster: names.txt\nrules:"))
    assert "rontide" not in masked("saw Xylo Brontide today").stdout


def test_an_unknown_mask_is_told_with_those_that_are_known(masked):
    done = masked(CANARY_TEXT, name="no-such-mask")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "it has: lean, years" in done.stderr


def test_keys_that_are_none_are_told_without_a_word_of_them(tmp_path):
    keys = file_of(tmp_path / "keys", "1 Quartermaine")
    keys.chmod(0o600)
    done = phigate("mask", "--mask", "safe-harbor", "--secrets", keys, stdin=CANARY_TEXT)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "expected `EPOCH KEY`" in done.stderr
    assert leaks(done.stderr) == []


@pytest.mark.parametrize("size", [65_530, 65_536, 131_072 - 20])
def test_what_lies_across_two_reads_is_masked(tmp_path, size):
    """Real streams, more than one read, an identifier where one ends and the next begins; any line end stays."""
    policy = file_of(tmp_path / "policy.yaml", GOOD)
    filler = ("it is \u00e9 as of\r\n" * 20000)[: size - 20]
    stdin = f"{filler} Patient: {CANARY_NAME}, SSN {CANARY_SSN}.\n{filler}".encode()
    done = process("mask", "--mask", "years", "--policy", policy, "--secrets", "env:K", stdin=stdin, K=KEYS, LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{filler} Patient: [PERSON], SSN [US_SSN].\n{filler}"


def test_json_lines_are_masked_in_their_fields(masked):
    stdin = lines({"id": 1, "text": f"SSN {CANARY_SSN}", "n": 7}, b"Quartermaine\n", {"id": 2, "text": "fine"})
    done = masked(stdin, "--format", "jsonl")
    assert (done.exit_code, done.stderr) == (1, "line 2: not JSON\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": 1, "text": "SSN [US_SSN]", "n": 7},
        {"id": 2, "text": "fine"},
    ]


def test_several_processes_mask_as_one_does(masked, tmp_path):
    data = file_of(tmp_path / "text.txt", f"{CANARY_TEXT}\n\n" * 20)
    one, two = (masked("", "--unit", "paragraph", "--workers", n, data) for n in (1, 2))
    assert (one.exit_code, one.stdout) == (0, two.stdout)
    assert leaks(one.stdout) == []


def test_the_policys_own_detectors_count_as_in_the_gateway(tmp_path, masked):
    file_of(tmp_path / "own.yaml", OWN)
    file_of(tmp_path / "policy.yaml", GOOD.replace("rules:", "detectors: own.yaml\nrules:"))
    assert masked("a shoe 4711").stdout == "a [UNIQUE_ID]"


def test_an_output_is_written_when_all_went_well(masked, tmp_path):
    out = tmp_path / "out.txt"
    assert masked("x", "-o", out, name="no-such-mask").exit_code == 2
    assert not out.exists()
    assert masked(f"SSN {CANARY_SSN}", "-o", out).exit_code == 0
    assert out.read_text() == "SSN [US_SSN]"


def test_bytes_that_are_no_text_do_not_stop_it(masked):
    assert masked(b"\xff SSN 536-22-8145").stdout == "\ufffd SSN [US_SSN]"


# -- evaluate -------------------------------------------------------------------------------------------------------


def labelled(text, *values):
    spans = [{"start": text.index(v), "end": text.index(v) + len(v), "label": label} for v, label in values]
    return {"id": "r1", "text": text, "spans": spans}


LABELLED = lines(
    labelled(f"SSN {CANARY_SSN}, shoe laces", (CANARY_SSN, "SSN"), ("laces", "NAME")),
    labelled("furosemide 40 mg"),
)


def test_evaluate_tells_shares_and_misses_without_content():
    done = phigate("evaluate", stdin=LABELLED)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "1 of 2" in done.stdout
    assert leaks(done.stdout) == []


def test_evaluate_as_json_and_with_content(tmp_path):
    data = file_of(tmp_path / "data.jsonl", LABELLED)
    told = json.loads(phigate("evaluate", data, "--json", "--show-text").stdout)
    assert (told["texts"], told["recall"]["count"], told["recall"]["of"]) == (2, 1, 2)
    assert told["hard_negatives"]["of"] == 1
    assert [miss["text"] for miss in told["worst_misses"]] == ["laces"]


def test_evaluate_in_other_writings_and_with_other_labels():
    told = json.loads(
        phigate("evaluate", "--json", "--case", "upper", "--label", "name=IGNORED", stdin=LABELLED).stdout
    )
    assert (told["recall"]["value"], told["recall"]["of"]) == (1.0, 1)
    assert phigate("evaluate", "--variant", "hyphen", stdin=LABELLED).exit_code == 0


def test_evaluate_limits_and_shares_its_work():
    told = json.loads(phigate("evaluate", "--json", "--limit", 1, "--workers", 2, stdin=LABELLED).stdout)
    assert (told["texts"], told["recall"]["of"]) == (1, 2)


def test_evaluate_tells_bad_lines_by_number():
    done = phigate("evaluate", stdin=b"Quartermaine\n" + LABELLED)
    assert done.exit_code == 1
    assert done.stderr == "line 1: not JSON\n"
    assert "2 texts" in done.stdout


EVALUATE = [
    (["--case", "title"], "--case: not one of lower, upper", 2),
    (["--variant", "x"], "--variant: not one of", 2),
    (["--bias", "x"], "--bias: not one of recall, balanced, precision", 2),
    (["--label", "NAME"], "--label: expected LABEL=GROUP", 2),
    (["--label", "NAME=SHOE"], "--label: expected LABEL=GROUP", 2),
    ([], "no text to evaluate", 1),
    (["missing.jsonl"], "missing.jsonl: no such file", 1),
]


@pytest.mark.parametrize(("words", "said", "code"), EVALUATE, ids=[" ".join(case[0]) for case in EVALUATE])
def test_evaluate_refuses(words, said, code):
    done = phigate("evaluate", *words)
    assert done.exit_code == code
    assert said in done.stderr
