"""The page over real bearers, policy, ledger and journal, and an issuer that signs in whom a test says; no socket."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI

from phigate.console.desk import Desk
from phigate.console.page import routes
from phigate.console.provider import Provider
from tests.identity import forge
from tests.ledger.tickets import ticket
from tests.stage import ISSUER, RULES, bearer, furnished, policy_text

if TYPE_CHECKING:
    from pathlib import Path

    from phigate.ledger.tickets import Ticket

REVIEWS = "{name: reviews, permit: [officer], to: [review], models: ['*']}"
EMERGENCY = "{name: emergency, break_glass: [clinician], to: [chat], models: ['*'], mask: lean, review_by: [officer]}"
SIGN_IN = f"sign_in: {{issuer: '{ISSUER}', client_id: console}}\n"
CONSOLE = "https://console.example"
OURS = {"origin": CONSOLE, "sec-fetch-site": "same-origin"}
DISCOVERY = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "authorization_response_iss_parameter_supported": True,
}


class Stand:
    """A browser's cookies, the page and the issuer; `gives` changes what the token endpoint gives."""

    def __init__(self, folder: Path, tail: str = SIGN_IN, console: str = CONSOLE) -> None:
        self.house = furnished(folder, policy_text(*RULES, REVIEWS, EMERGENCY, tail=tail), console)
        self.counted: list[tuple[str, str]] = []
        self.desk = Desk(self.house, "http://127.0.0.1:8080", console, lambda *said: self.counted.append(said))
        self.gives: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.down = False
        self.redeemed: list[dict[str, list[str]]] = []
        self.console = console
        self._nonce = ""
        self.who, self.groups = "eve", ["privacy"]
        self._app = self._page()
        self.client = self.browser()

    def _page(self) -> FastAPI:
        issuer = httpx.AsyncClient(transport=httpx.MockTransport(self._issuer))
        app = FastAPI()
        app.include_router(routes.routes(self.desk, Provider(client=lambda: issuer)))
        return app

    def elsewhere(self) -> None:
        """From now on this browser gets to another instance: to nothing of what this one has in its memory."""
        self._app = self._page()
        kept = self.client.cookies
        self.client = self.browser()
        self.client.cookies = kept

    def browser(self) -> httpx.AsyncClient:
        """Another one, that has been nowhere."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url=self.console)

    async def close(self) -> None:
        await self.house.agreement.close()
        self.house.journal.close("test over")

    async def _issuer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down")
        said = DISCOVERY
        if request.url.path == "/token":
            self.redeemed.append(parse_qs(request.content.decode()))
            now = time.time()
            who = {"iss": ISSUER, "sub": self.who, "aud": "console", "nonce": self._nonce, "iat": now, "exp": now + 60}
            id_token = forge.mint({**who, **self.claims}, {"alg": "RS256", "kid": forge.key_for("RS256")})
            bearers = {"access_token": bearer(*self.groups, who=self.who), "id_token": id_token}
            said = {**bearers, "token_type": "Bearer"} | self.gives
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(said).encode()))

    # -- what a person does -----------------------------------------------------------------------------------------

    async def begin(self, to: str = "/desk", browser: httpx.AsyncClient | None = None) -> dict[str, str]:
        """Go to the issuer; gives what comes back from there once somebody signed in."""
        answer = await (browser or self.client).get("/desk/sign-in", params={"to": to})
        assert answer.status_code == 303, answer.text
        asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
        self._nonce = asked["nonce"]
        return {"code": "c0de", "state": asked["state"], "iss": ISSUER}

    async def back(self, came: dict[str, str], browser: httpx.AsyncClient | None = None) -> httpx.Response:
        return await (browser or self.client).get("/desk/callback", params=came)

    async def sign_in(self, who: str = "eve", *groups: str, to: str = "/desk") -> httpx.Response:
        self.who, self.groups = who, list(groups or ("privacy",))
        return await self.back(await self.begin(to))

    async def token(self) -> str:
        """What stands in the forms of this sign-in."""
        text = (await self.client.get("/desk")).text
        return text.split('name="token" value="')[1].split('"')[0]

    async def send(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        said = {"token": await self.token()} | fields
        return await self.client.post(path, data=said, headers=OURS if headers is None else headers)

    # -- what there is ----------------------------------------------------------------------------------------------

    async def waiting(self, **changes: Any) -> Ticket:
        now = time.time()
        person = {
            "subject": (ISSUER, "ada"),
            "approvers": ("officer",),
            "rule": "see",
            "opened": now,
            "until": now + 60,
        }
        one = ticket(**(person | changes))
        await self.house.agreement.approvals.open_ticket(one, now)
        return one

    def kept(self, kind: str) -> list[dict[str, Any]]:
        lines = self.house.journal.path.read_bytes().splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == kind]
