"""The `phigate` command, as people and pipes call it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from issuer import SampleIssuer
from people import policy_for
from phigate import __version__
from phigate.exchange import Scope
from phigate.identity import grants, saml
from tests.command import GOOD, OWN, file_of, phigate
from tests.identity import forge
from tests.traffic import leaks


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


def test_a_rule_that_nobody_can_approve_is_warned_of(tmp_path):
    rule = "  - {name: ask, hold: [clinician], to: [embed], models: ['*'], mask: lean, approvers: [clinician]}\n"
    policy = file_of(tmp_path / "policy.yaml", GOOD.replace("rules:\n", f"rules:\n{rule}"))
    done = phigate("check", policy)
    assert done.exit_code == 0
    assert f"{policy}: warning: rules[ask].approvers: nobody can ever answer\n" in done.stdout


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


def test_what_a_gateway_would_lack_here_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("PAGER_SECRET", raising=False)
    hook = "webhooks: [{name: pager, url: 'https://x.example', secret: env:PAGER_SECRET}]"
    policy = file_of(tmp_path / "policy.yaml", GOOD.replace("rules:", f"{hook}\nrules:"))
    done = phigate("check", policy)
    lacks = "webhooks[pager].secret: the environment variable `PAGER_SECRET` is not set"
    assert f"{policy}: a gateway does not start here: {lacks}\n" in done.stdout
    assert done.exit_code == 0


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
