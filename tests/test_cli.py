"""The `phigate` command, as people and pipes call it."""

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from typer.testing import CliRunner

from issuer import SampleIssuer
from people import policy_for
from phigate import __version__
from phigate.capture.journal import open_journal
from phigate.cli import app
from phigate.exchange import Scope
from phigate.house import ROOT
from phigate.identity import grants, saml
from phigate.masking import Detectors
from tests import policies
from tests.capture.samples import request, response
from tests.identity import forge
from tests.traffic import CANARY_NAME, CANARY_SSN, CANARY_TEXT, leaks

GOOD = policies.text(policies.RULE.removeprefix("  - ").strip())


def phigate(*words, stdin=b""):
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin)


def process(*words, stdin=b"", **environment):
    """The same in a process of its own, whose streams are real ones."""
    command = [sys.executable, "-m", "phigate.cli", *map(str, words)]
    environment = {"PYTHONPATH": str(ROOT / "addons"), **environment}
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60, env=environment)


def file_of(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_it_says_what_it_is_and_what_it_can_do():
    assert phigate("--version").stdout == f"phigate {__version__}\n"
    told = phigate("--help").stdout
    assert all(
        command in told for command in ("check", "whoami", "token", "scan", "mask", "evaluate", "sessions", "show")
    )


# -- check ----------------------------------------------------------------------------------------------------------

CASES = "- clinician chats with m: permit care\n- researcher chats with m: deny no-rule\n"


def test_the_policy_as_shipped_answers_its_cases():
    done = phigate("check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "rules, " in done.stdout
    assert "0 of 0" not in done.stdout


def test_a_good_policy_with_its_cases(tmp_path):
    policy = file_of(tmp_path / "policy.yaml", GOOD)
    file_of(tmp_path / "cases" / "care.yaml", CASES)
    done = phigate("check", policy)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{policy}: 1 rules, 2 of 2 cases as expected\n"


def test_a_policy_that_answers_otherwise_says_where(tmp_path):
    policy = file_of(tmp_path / "policy.yaml", GOOD)
    cases = file_of(tmp_path / "elsewhere.yaml", CASES + "- researcher chats with m: permit care\n")
    done = phigate("check", policy, "--cases", cases)
    assert done.exit_code == 1
    assert f"{cases}:3: " in done.stdout
    assert done.stdout.endswith("2 of 3 cases as expected\n")


def test_every_fault_of_a_policy_is_told_with_its_line(tmp_path):
    policy = file_of(
        tmp_path / "policy.yaml", GOOD.replace("version: 1", "version: 9").replace("mask: lean", "mask: no")
    )
    done = phigate("check", policy)
    assert (done.exit_code, done.stdout) == (1, "")
    faults = done.stderr.splitlines()
    assert len(faults) == 2
    assert all(fault.startswith(f"{policy}:") for fault in faults)


def test_a_fault_of_the_cases_is_told_with_its_line(tmp_path):
    policy = file_of(tmp_path / "policy.yaml", GOOD)
    cases = file_of(tmp_path / "cases" / "bad.yaml", "- clinician juggles with m: permit care\n")
    done = phigate("check", policy)
    assert done.exit_code == 1
    assert f"{cases}:1: " in done.stderr


MISSING = [("no policy", ["check", "missing.yaml"]), ("no cases", ["check", "--cases", "missing.yaml"])]


@pytest.mark.parametrize(("sentence", "words"), MISSING, ids=[case[0] for case in MISSING])
def test_a_file_that_is_not_there_is_told(sentence, words):
    done = phigate(*words)
    assert done.exit_code == 1
    assert "missing.yaml" in done.stderr
    assert "no such file" in done.stderr


def test_a_name_is_printed_as_it_stands(tmp_path):
    policy = file_of(tmp_path / "[red]odd[/red]" / "policy.yaml", GOOD)
    assert f"{policy}: 1 rules" in phigate("check", policy).stdout


OWN = """\
version: 1
detectors:
  - {name: shoe, entity: UNIQUE_ID, pattern: 'shoe \\d{4}', hits: ['a [[shoe 4711]]'], misses: [shoes]}
"""


def test_the_detectors_that_a_policy_names_are_checked_with_their_samples(tmp_path):
    policy = file_of(tmp_path / "policy.yaml", GOOD.replace("rules:", "detectors: own.yaml\nrules:"))
    own = file_of(tmp_path / "own.yaml", OWN)
    done = phigate("check", policy)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith(f"{own}: 2 of 2 samples as expected\n")
    file_of(own, OWN.replace("[shoes]", "[shoe 4711]"))
    done = phigate("check", policy)
    assert done.exit_code == 1
    assert f"{own}:3: detectors[shoe].misses[0]: something is found in it\n" in done.stdout
    file_of(own, OWN.replace("{4}", "+"))
    done = phigate("check", policy)
    assert (done.exit_code, done.stdout.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"{own}:3: detectors[shoe].pattern: is not a pattern that can be run: ")


# -- scan -----------------------------------------------------------------------------------------------------------


def lines(*items):
    return b"".join(item if isinstance(item, bytes) else orjson.dumps(item) + b"\n" for item in items)


def test_scan_finds_what_the_gateway_finds():
    done = phigate("scan", stdin=lines({"id": 7, "text": CANARY_TEXT}, {"text": "furosemide 40 mg"}))
    first, second = map(json.loads, done.stdout.splitlines())
    expected = [
        {"start": found.start, "end": found.end, "entity": found.entity, "score": found.score}
        for found in Detectors().find(CANARY_TEXT)
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
    roster = file_of(tmp_path / "roster.txt", "Xylo Brontide\n")
    stdin = lines({"text": "saw xylo brontide today"})
    assert json.loads(phigate("scan", stdin=stdin).stdout)["findings"] == []
    (found,) = json.loads(phigate("scan", "--roster", roster, stdin=stdin).stdout)["findings"]
    assert (found["start"], found["end"], found["entity"]) == (4, 17, "PERSON")


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
    filler = ("stable \u00e9 on furosemide\r\n" * 8000)[: size - 20]
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
    labelled(f"SSN {CANARY_SSN}, shoe Quartermaine", (CANARY_SSN, "SSN"), ("Quartermaine", "NAME")),
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
    assert [miss["text"] for miss in told["worst_misses"]] == ["Quartermaine"]


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


# -- the journal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path):
    """A folder that a real journal wrote: two sessions, one of them cut off."""
    written = open_journal(tmp_path / "journal", "gw", lambda: datetime.now(UTC))
    written.append("request", request("ex-1", session="se-1", name="ada"))
    written.append("response", response("ex-1"))
    written.append("request", request("ex-2", session="se-2", name="grace", verb="deny"))
    written.close("test over")
    return tmp_path / "journal"


def test_sessions_as_a_table(journal):
    done = phigate("sessions", "--journal", journal)
    assert (done.exit_code, done.stderr) == (0, "")
    assert all(said in done.stdout for said in ("se-1", "ada", "se-2", "grace"))
    assert done.stdout.index("se-2") < done.stdout.index("se-1")


def test_sessions_as_json_lines(journal):
    found = [json.loads(line) for line in phigate("sessions", "--json", "--journal", journal).stdout.splitlines()]
    assert [(one["session"], one["subject"], one["exchanges"]) for one in found] == [
        ("se-2", "grace", 1),
        ("se-1", "ada", 1),
    ]
    assert found[1]["findings"] == {"PERSON": 1, "MRN": 2}


def test_sessions_of_one_subject(journal):
    done = phigate("sessions", "--json", "--subject", "ada", "--journal", journal)
    assert [json.loads(line)["session"] for line in done.stdout.splitlines()] == ["se-1"]


def test_an_exchange_is_shown_from_both_sides(journal):
    done = phigate("show", "ex-1", "--journal", journal)
    assert done.exit_code == 0
    assert all(said in done.stdout for said in ("ada", "permit", "complete", "Summarise the stay of"))
    assert "grace" not in done.stdout


def test_a_session_is_shown_by_its_exchanges(journal):
    done = phigate("show", "se-2", "--journal", journal)
    assert done.exit_code == 0
    assert "ex-2" in done.stdout
    assert "ex-1" not in done.stdout


def test_an_id_that_nobody_knows(journal):
    done = phigate("show", "ex-9", "--journal", journal)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "knows no exchange" in done.stderr


def test_a_torn_line_is_told_and_the_others_are_shown(journal):
    (file,) = journal.glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b'{"seq":')
    done = phigate("sessions", "--journal", journal)
    assert done.exit_code == 0
    assert done.stderr == f"{file.name}:6: torn\n"
    assert "se-1" in done.stdout


@pytest.mark.parametrize("command", [["sessions"], ["show", "ex-1"]], ids=["sessions", "show"])
def test_a_folder_that_is_not_there(tmp_path, command):
    done = phigate(*command, "--journal", tmp_path / "missing")
    assert done.exit_code == 1
    assert done.stderr == f"{tmp_path / 'missing'}: no such folder\n"


# -- whoami ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def issuer():
    with SampleIssuer() as running:
        yield running


@pytest.fixture
def believing(issuer, tmp_path):
    """`phigate whoami` under the shipped policy, which believes the sample issuer."""
    policy = policy_for(issuer.url, tmp_path)

    def run(bearer, *more):
        return phigate("whoami", "--policy", policy, *more, stdin=f"{bearer}\n".encode())

    return run


def test_a_believed_bearer_is_told_with_its_roles_and_rules(believing, issuer):
    done = believing(issuer.mint("Quartermaine", groups=["ward-staff", "choir"], jti="Quartermaine"))
    assert (done.exit_code, done.stderr) == (0, "")
    rows = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert rows[0] == ["ok", "form       a JWS in compact form"]
    assert done.stdout.splitlines()[-1] == "believed"
    said = " ".join(done.stdout.split())
    assert "groups 2 groups in `groups`" in said
    assert "role clinician, by ward-staff" in said
    assert "no role by 1 of 2" in said
    assert "rule clinicians-chat (permit): chat, complete, embed; models: *" in said
    assert "researchers-see-no-one" not in said
    assert leaks(done.output) == []
    assert "choir" not in done.output


def test_claims_are_printed_where_they_are_asked_for(believing, issuer):
    done = believing(issuer.mint("grace\u202e", groups=["choir"]), "--claims")
    told = json.loads(done.stdout[done.stdout.index("{") :])
    assert (done.exit_code, told["sub"]) == (1, "grace\u202e")
    assert "\u202e" not in done.stdout
    assert "no role" not in done.stdout
    done = believing(issuer.mint("grace", groups=["choir"]), "--claims")
    assert "by 1 of 1: choir" in done.stdout


def test_a_refused_bearer_is_told_with_its_step(believing, issuer):
    done = believing(issuer.mint("Quartermaine", aud="Quartermaine"))
    assert (done.exit_code, done.stderr) == (1, "")
    (step,) = [line for line in done.stdout.splitlines() if line.startswith("refused  ")]
    assert "audience" in step
    assert "the policy wants `phigate` in `aud`" in step
    assert done.stdout.splitlines()[-1] == "refused: aud-mismatch"
    assert leaks(done.output) == []


def test_a_key_that_its_issuer_does_not_publish_is_asked_for(believing, issuer):
    done = believing(issuer.mint("ada", headers={"kid": "new"}))
    assert (done.exit_code, issuer.asked["/jwks"]) == (1, 1)
    assert "refused: kid-unknown" in done.stdout


def test_keys_that_cannot_be_had_settle_nothing(believing, issuer):
    issuer.down = True
    done = believing(issuer.mint_for("dr.okafor"))
    assert (done.exit_code, done.stderr) == (2, f"{issuer.url}: status-not-200\n")
    assert done.stdout.splitlines()[-1] == "this cannot be told at the moment"


def test_a_bearer_may_be_an_argument_too(issuer, tmp_path):
    policy = policy_for(issuer.url, tmp_path)
    assert phigate("whoami", issuer.mint_for("dr.okafor"), "--policy", policy).exit_code == 0
    words = " ".join(phigate("whoami", "--help").stdout.replace("\u2502", " ").split())
    assert "an argument can be seen by others on this machine" in words


def test_an_opaque_bearer_is_asked_about_where_the_policy_says_so(issuer, tmp_path, monkeypatch):
    policy = policy_for(issuer.url, tmp_path)
    asked = f"introspect: {{url: '{issuer.url}/introspect', client_id: gw, credential: 'env:PHIGATE_TEST_SECRET'}}"
    policy.write_text(policy.read_text().replace("keys: discover", f"keys: discover\n    {asked}"))
    monkeypatch.setenv("PHIGATE_TEST_SECRET", "secret")
    done = phigate("whoami", "--policy", policy, stdin=b"an-opaque-bearer-of-some-length")
    assert done.exit_code == 2  # this issuer has no such endpoint
    assert "the issuer could not be asked about it" in done.stdout


NOTHING = [("nothing", b" \n", "no credential was given"), ("too much", b"x" * 300_000, "too long for a credential")]


@pytest.mark.parametrize(("sentence", "stdin", "said"), NOTHING, ids=[case[0] for case in NOTHING])
def test_what_cannot_be_a_bearer_is_told(sentence, stdin, said):
    done = phigate("whoami", stdin=stdin)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_policy_with_faults_settles_nothing(tmp_path):
    policy = file_of(tmp_path / "policy.yaml", "version: 9\n")
    assert phigate("whoami", "--policy", policy, stdin=b"a.b.c").exit_code == 2


# -- token ----------------------------------------------------------------------------------------------------------

ISSUED = forge.mint(forge.claims(scope="action:chat"))


class FakeConsole:
    """The console's token endpoint as far as the command sees it: what it was sent, and an answer that a test wants."""

    def __init__(self):
        self.forms = []
        self.paths = []
        self.status = 200
        self.body = json.dumps({"access_token": ISSUED, "token_type": "Bearer", "expires_in": 300}).encode()
        self.headers = {}
        fake = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self):
                fake.paths.append(self.path)
                raw = self.rfile.read(int(self.headers["content-length"]))
                fake.forms.append(grants.read_form(raw))
                self.send_response(fake.status)
                for name, value in {"content-length": str(len(fake.body)), **fake.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(fake.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def refuse(self, status, error, description):
        self.status = status
        self.body = json.dumps({"error": error, "error_description": description}).encode()


@pytest.fixture
def console():
    fake = FakeConsole()
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.02,))
    thread.start()
    yield fake
    fake.server.shutdown()
    thread.join()
    fake.server.server_close()


MINE = "my.own.bearer-Quartermaine"


def test_a_token_is_printed_alone(console):
    done = phigate("token", "--console", console.url, stdin=f"{MINE}\n".encode())
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{ISSUED}\n", "")
    assert console.paths == ["/token"]
    (form,) = console.forms
    asked = grants.read_token_request(form, console.url)
    assert (asked.grant, asked.kind, asked.credential) == ("token-exchange", "bearer", MINE)
    assert (asked.scope, asked.lifetime, asked.uses) == (None, None, None)


def test_a_token_may_be_asked_for_less(console, tmp_path):
    file = file_of(tmp_path / "bearer", f"{MINE}\n")
    wanted = ["--scope", "model:m action:chat", "--lifetime", "PT5M", "--once"]
    assert phigate("token", "--console", f"{console.url}/", "--bearer-file", file, *wanted).exit_code == 0
    asked = grants.read_token_request(console.forms[0], console.url)
    assert (asked.lifetime, asked.uses, asked.credential) == (300, 1, MINE)
    assert asked.scope == Scope(frozenset({"m"}), frozenset({"chat"}))


def test_an_assertion_is_sent_as_one(console, tmp_path):
    file = file_of(tmp_path / "assertion.xml", "<Assertion>\u00e9</Assertion>")
    assert phigate("token", "--console", console.url, "--saml", file).exit_code == 0
    asked = grants.read_token_request(console.forms[0], console.url)
    assert asked.kind == "assertion"
    assert saml.decode_assertion(asked.credential) == "<Assertion>\u00e9</Assertion>".encode()


def test_two_credentials_are_one_too_many(console, tmp_path):
    file = file_of(tmp_path / "credential", MINE)
    done = phigate("token", "--console", console.url, "--bearer-file", file, "--saml", file)
    assert (done.exit_code, done.stderr) == (2, "--bearer-file and --saml exclude each other\n")
    assert console.forms == []


def test_a_tokens_claims_go_where_they_are_not_piped_on(console):
    done = phigate("token", "--console", console.url, "--claims", stdin=MINE.encode())
    assert done.stdout == f"{ISSUED}\n"
    assert json.loads(done.stderr)["scope"] == "action:chat"


def test_a_refusal_is_told_in_the_consoles_words(console):
    console.refuse(400, "invalid_scope", "`scope` is wider\u001b[2J than that.")
    done = phigate("token", "--console", console.url, stdin=MINE.encode())
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "`scope` is wider\ufffd[2J than that. (invalid_scope)\n"


STRANGE = [
    ("a page", 404, b"<html>Quartermaine</html>", {}),
    ("what is no bearer", 200, b'{"access_token": "a b\\u001b"}', {}),
    ("our own bearer in a fault", 400, json.dumps({"error": "x", "error_description": MINE}).encode(), {}),
    ("more than an answer", 200, b'{"access_token": "' + b"a" * 100_000 + b'"}', {}),
    ("another place", 307, b"", {"location": "/elsewhere"}),
]


@pytest.mark.parametrize(("sentence", "status", "body", "headers"), STRANGE, ids=[case[0] for case in STRANGE])
def test_what_no_console_would_answer_is_told_without_a_word_of_it(console, sentence, status, body, headers):
    console.status, console.body, console.headers = status, body, headers
    done = phigate("token", "--console", console.url, stdin=MINE.encode())
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{console.url}: not the answer of a gateway's console (status {status})\n"
    assert len(console.paths) == 1


def test_nobody_there_is_told(console):
    console.server.server_close()
    done = phigate("token", "--console", console.url, stdin=MINE.encode())
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{console.url}: no answer (ConnectError)\n"


@pytest.mark.parametrize(
    "url", ["http://gw.example:8090", "ftp://127.0.0.1", "https://a:b@gw.example", "https://gw/?a=b"]
)
def test_a_bearer_is_sent_nowhere_that_others_could_read_it(url):
    done = phigate("token", "--console", url, stdin=MINE.encode())
    assert (done.exit_code, done.stdout) == (2, "")
    assert "not an https address" in done.stderr


def test_a_bearers_file_that_is_not_there_is_told(console, tmp_path):
    done = phigate("token", "--console", console.url, "--bearer-file", tmp_path / "missing")
    assert (done.exit_code, done.stderr) == (2, f"{tmp_path / 'missing'}: no such file or directory\n")
    assert console.forms == []
