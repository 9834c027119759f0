"""Bearers that two gateways issue themselves, which share a ledger: issued, limited, spent, taken back."""

import concurrent.futures
import contextlib
import json
import sqlite3
import threading
import time
from base64 import urlsafe_b64decode

import httpx
import pytest

from model_server import Answer
from processes import HOST, Gateway, free_port, settings
from tests.traffic import CHAT, as_person, chat, completion, events, leaks, records

pytestmark = pytest.mark.live

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
WITHIN = 5.0
"""Seconds in which a revocation takes effect on every instance."""


@contextlib.contextmanager
def two(model, policy, folder, ledger):
    """Two gateways under one address, as a balancer in front of them would have it."""
    port, console = free_port(), free_port()
    here = settings(phi_url=f"http://{HOST}:{port}", phi_console_url=f"http://{HOST}:{console}")
    shared = {"extra": here, "ledger": ledger}
    first = Gateway(model.url, policy, folder / "one", port=port, console=console, instance="one", **shared)
    with first, Gateway(model.url, policy, folder / "two", instance="two", **shared) as second:
        yield first, second


@pytest.fixture(scope="module")
def pair(_model, policy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    with two(_model, policy, folder, f"sqlite+aiosqlite:///{folder / 'ledger.db'}") as gateways:
        yield gateways


def exchange(gateway, bearer, **more):
    form = {"grant_type": EXCHANGE, "subject_token": bearer, "subject_token_type": ACCESS} | more
    return httpx.post(f"{gateway.console_url}/token", data=form, trust_env=False)


def issued(gateway, bearer, **more):
    """A bearer of the gateway's own."""
    answer = exchange(gateway, bearer, **more)
    assert answer.status_code == 200, answer.json()
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["access_token"]


def asked(gateway, bearer, **more):
    with as_person(gateway, bearer) as client:
        return client.post(CHAT, json=chat(**more))


def revoke(gateway, bearer, **form):
    headers = {"authorization": f"Bearer {bearer}"}
    return httpx.post(f"{gateway.console_url}/revoke", data=form, headers=headers, trust_env=False)


def officer(issuer):
    return issuer.mint("kai.holm", groups=["privacy"])


def kept(gateway, kind):
    return [record for record in records(gateway.journal) if record["kind"] == kind]


def refused_within(gateway, bearer, seconds=WITHIN):
    """How long it takes until a bearer is refused; AssertionError after `seconds`."""
    start = time.monotonic()
    while asked(gateway, bearer).status_code != 401:
        assert time.monotonic() - start < seconds, "still believed"
        time.sleep(0.1)
    return time.monotonic() - start


def test_a_bearer_of_one_gateway_opens_the_other(pair, model, issuer):
    model.script = Answer(completion())
    first, second = pair
    bearer = issued(first, issuer.mint_for("dr.okafor"))
    for gateway in pair:
        answer = asked(gateway, bearer)
        assert answer.status_code == 200
        assert leaks(answer.content) == []
    subject = kept(second, "request")[-1]["subject"]
    assert (subject["issuer"], subject["id"]) == (issuer.url, "dr.okafor")
    assert subject["roles"] == ["clinician"]


def test_a_bearer_opens_what_it_was_issued_for_and_nothing_else(pair, model, issuer):
    model.script = Answer(completion())
    first, _ = pair
    bearer = issued(first, issuer.mint_for("dr.okafor"), scope="model:ward-assistant action:list-models")
    answer = asked(first, bearer)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope-exceeded")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert asked(first, issued(first, issuer.mint_for("dr.okafor"), scope="action:chat")).status_code == 200


def test_a_bearer_for_one_exchange_opens_one_however_many_race_for_it(pair, model, issuer):
    model.script = Answer(completion())
    bearer = issued(pair[0], issuer.mint_for("dr.okafor"), uses="1")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: asked(pair[number % 2], bearer).status_code, range(24)))
    assert sorted(set(answers)) == [200, 401]
    assert answers.count(200) == 1
    assert len(model.requests) == 1


@pytest.mark.parametrize("own", [True, False], ids=["a gateway's bearer", "an issuer's bearer"])
def test_who_is_revoked_is_out_everywhere_and_their_streams_end(pair, model, issuer, own):
    first, second = pair
    who = f"dr.okafor.{own}"
    theirs = issuer.mint(who, groups=["ward-staff"])
    bearer = issued(first, theirs) if own else theirs
    slow = [part for event in events("The patient is well and eats. " * 40) for part in (event, 0.05)]
    model.script = Answer.events(slow)
    ended = threading.Event()

    def listen():
        with (
            contextlib.suppress(httpx.HTTPError),
            as_person(second, bearer) as client,
            client.stream("POST", CHAT, json=chat(stream=True)) as answer,
        ):
            assert answer.status_code == 200
            for _ in answer.iter_raw():
                pass
        ended.set()

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    time.sleep(0.5)
    assert not ended.is_set()
    assert revoke(first, officer(issuer), subject=who, issuer=issuer.url).status_code == 200
    start = time.monotonic()
    assert ended.wait(WITHIN)
    assert time.monotonic() - start < WITHIN
    model.script = Answer(completion())
    refused_within(second, bearer)
    refused_within(first, bearer)
    outcomes = [record["outcome"] for record in kept(second, "response")]
    assert outcomes[-1] == "revoked"
    (taken,) = [record for record in kept(first, "revocation") if record["revoked"]["subject"] == who]
    assert taken["subject"]["id"] == "kai.holm"


@contextlib.contextmanager
def listening(gateway, bearer, model):
    """Somebody who listens to an answer that takes half a minute; an event that is set when it is over."""
    slow = [part for event in events("The patient is well and eats. " * 100) for part in (event, 0.05)]
    model.script = Answer.events(slow)
    over = threading.Event()

    def listen():
        with (
            contextlib.suppress(httpx.HTTPError),
            as_person(gateway, bearer) as client,
            client.stream("POST", CHAT, json=chat(stream=True)) as answer,
        ):
            for _ in answer.iter_raw():
                pass
        over.set()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield over
    thread.join(40)


def test_who_is_revoked_on_the_way_to_the_model_hears_nothing_of_it(model, policy, issuer, tmp_path):
    with two(model, policy, tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}") as (first, second):
        bearer = issued(first, issuer.mint_for("dr.okafor"), uses="1")
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # whoever spends waits, whoever looks does not
        with listening(second, bearer, model) as over:
            time.sleep(0.5)
            row = (1, issuer.url, "dr.okafor", None, time.time() + 60, time.time() + 600, "kai", "lost")
            other.execute("INSERT INTO phigate_revoked VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            other.execute("COMMIT")
            other.execute("BEGIN IMMEDIATE")
            time.sleep(1.3)
            other.execute("ROLLBACK")
            assert over.wait(WITHIN)
        other.close()


def test_a_single_bearer_can_be_given_up_by_whoever_holds_it(pair, model, issuer):
    model.script = Answer(completion())
    first, second = pair
    mine, other = (issued(first, issuer.mint_for("dr.okafor")) for _ in range(2))
    assert revoke(first, mine, token=mine).status_code == 200
    refused_within(second, mine)
    assert asked(second, other).status_code == 200


def test_nobody_takes_back_what_is_not_theirs_without_a_rule_that_says_so(pair, model, issuer):
    model.script = Answer(completion())
    first, _ = pair
    answer = revoke(first, issuer.mint_for("dr.okafor"), subject="sam.lindqvist", issuer=issuer.url)
    assert answer.status_code == 403
    assert asked(first, issuer.mint_for("sam.lindqvist")).status_code == 200


def test_a_bearer_never_outlives_the_one_it_was_issued_for(pair, issuer):
    ends = int(time.time()) + 40
    bearer = issued(pair[0], issuer.mint("dr.okafor", groups=["ward-staff"], exp=ends), lifetime="PT10M")
    claims = json.loads(_payload(bearer))
    assert claims["exp"] <= ends


def _payload(bearer):
    middle = bearer.split(".")[1]
    return urlsafe_b64decode(middle + "=" * (-len(middle) % 4))


def test_both_gateways_publish_all_keys_and_say_where_they_are(pair):
    first, second = pair
    keys = [httpx.get(f"{each.console_url}/jwks.json", trust_env=False).json()["keys"] for each in pair]
    assert sorted(key["kid"] for key in keys[0]) == sorted(key["kid"] for key in keys[1])
    assert len(keys[0]) == 4  # two of each: one in use, one for later
    assert not {"d"} & {name for key in keys[0] for name in key}
    server = httpx.get(f"{second.console_url}/.well-known/oauth-authorization-server", trust_env=False).json()
    assert server["issuer"] == first.console_url
    assert server["token_endpoint"] == f"{first.console_url}/token"
    hostile = {"host": "evil.example"}
    for base in (second.url, second.console_url):
        resource = httpx.get(f"{base}/.well-known/oauth-protected-resource", headers=hostile, trust_env=False).json()
        assert resource["resource"] == first.url
        assert "evil" not in json.dumps(resource)


def test_no_bearer_stands_in_any_file(pair, model, issuer, tmp_path):
    model.script = Answer(completion())
    first, second = pair
    theirs = issuer.mint_for("dr.okafor")
    bearer = issued(first, theirs)
    assert asked(second, bearer).status_code == 200
    exchange(first, "Quartermaine.Quartermaine.Quartermaine")
    written = [path.read_bytes() for gateway in pair for path in gateway.log.parent.rglob("*") if path.is_file()] + [
        path.read_bytes() for path in first.log.parent.parent.glob("ledger.db*")
    ]
    assert len(written) > 6
    for secret in (theirs, bearer, theirs.rpartition(".")[2], bearer.rpartition(".")[2], "Quartermaine"):
        assert not [raw for raw in written if secret.encode() in raw]


def test_without_a_ledger_no_answer_goes_on(model, policy, issuer, tmp_path, postgres_server, postgres_url):
    with (
        two(model, policy, tmp_path, postgres_url) as (_, second),
        listening(second, issuer.mint_for("dr.okafor"), model) as over,
    ):
        time.sleep(0.5)
        postgres_server.stop()
        try:
            assert over.wait(WITHIN + 3)
        finally:
            postgres_server.start()


def test_without_a_ledger_nobody_is_let_in(model, policy, issuer, tmp_path, postgres_server, postgres_url):
    model.script = Answer(completion())
    with two(model, policy, tmp_path, postgres_url) as (first, second):
        bearer = issued(first, issuer.mint_for("dr.okafor"))
        assert asked(second, bearer).status_code == 200
        postgres_server.stop()
        start = time.monotonic()
        for gateway in (second, first):  # each for itself: they do not look at the same moment
            while asked(gateway, bearer).status_code != 503:
                assert time.monotonic() - start < 8
                time.sleep(0.1)
        assert asked(first, issuer.mint_for("dr.okafor")).json()["error"]["code"] == "ledger-unavailable"
        assert exchange(first, issuer.mint_for("dr.okafor")).status_code == 503
        postgres_server.start()
        start = time.monotonic()
        while asked(second, bearer).status_code != 200:
            assert time.monotonic() - start < 8
            time.sleep(0.1)
