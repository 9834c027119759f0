"""Who asks at the console: one bearer, believed, for more than one exchange."""

import httpx
import pytest
from fastapi import FastAPI, Response

from phigate.approval.refusals import No
from phigate.console.callers import believed, guarded, heard
from phigate.exchange import Subject
from phigate.identity.outcome import Refused, Unavailable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown

ADA = Subject("https://idp.example", "ada", (), frozenset(), 10.0)
ONCE = Subject("https://idp.example", "ada", (), frozenset(), 10.0, uses=1)


class Desk:
    """A desk that verifies nothing and says what it is told to."""

    console = "http://127.0.0.1:8090"

    def __init__(self, outcome):
        self.outcome, self.counted, self.presented = outcome, [], None

    def now(self):
        return 1.0

    async def verify(self, _fields, presented, _now):
        self.presented = presented
        return self.outcome

    def refused(self, _client_ip, reason):
        self.counted.append(reason)


async def asked(desk, raises=None, **headers):
    app = FastAPI()

    async def endpoint(request):
        subject = await believed(desk, request)
        if raises is not None:
            raise raises
        return Response(subject.id)

    app.add_api_route("/who", guarded(endpoint), methods=["POST"], response_model=None)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example")
    return await client.post("/who", headers=headers)


CASES = [
    ("somebody", ADA, 200, None, []),
    ("nobody", Refused("bearer-missing"), 401, "bearer-missing", ["bearer-missing"]),
    ("somebody who is over", Refused("expired"), 401, "bearer-refused", ["expired"]),
    ("somebody of whom nothing is known yet", Unavailable("https://idp.example", 1), 503, "unavailable", []),
    ("a bearer for one exchange", ONCE, 403, "not-an-approver", []),
]


@pytest.mark.parametrize(("sentence", "outcome", "status", "code", "counted"), CASES, ids=[case[0] for case in CASES])
async def test_who_asks(sentence, outcome, status, code, counted):
    desk = Desk(outcome)
    answer = await asked(desk)
    assert answer.status_code == status
    assert answer.text == "ada" if code is None else answer.json()["error"]["code"] == code
    assert desk.counted == counted


async def test_a_proof_is_for_the_consoles_own_address_and_none_that_the_caller_names():
    desk = Desk(ADA)
    await asked(desk, dpop="proof")
    assert (desk.presented.url, desk.presented.method) == ("http://127.0.0.1:8090/who", "POST")
    assert (desk.presented.proof, desk.presented.scheme) == (("proof",), "dpop")


@pytest.mark.parametrize(
    ("raises", "status", "code"),
    [
        (No("ticket-over"), 409, "ticket-over"),
        (LedgerDown("x"), 503, "unavailable"),
        (JournalDown("x"), 503, "unavailable"),
    ],
)
async def test_why_nothing_came_of_it_is_told_in_the_consoles_words(raises, status, code):
    answer = await asked(Desk(ADA), raises)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def hears(desk, **said):
    app = FastAPI()

    async def endpoint(request):
        subject, raw = await heard(desk, request)
        return Response(f"{subject.id}: {raw.decode()}")

    app.add_api_route("/say", guarded(endpoint), methods=["POST"], response_model=None)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example")
    return await client.post("/say", **said)


async def test_who_says_something_is_who_they_are_once_all_of_it_is_there():
    desk = Desk(ADA)
    assert (await hears(desk, json={})).text == "ada: {}"

    async def slowly():
        yield b"{"
        desk.outcome = Refused("revoked")
        yield b"}"

    answer = await hears(desk, content=slowly(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bearer-refused")


async def test_what_is_wrong_with_a_body_is_told_to_those_who_are_believed():
    for outcome, code in ((ADA, "malformed"), (Refused("bearer-missing"), "bearer-missing")):
        assert (await hears(Desk(outcome), content=b"{}")).json()["error"]["code"] == code
