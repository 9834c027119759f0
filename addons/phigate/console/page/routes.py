"""The page's endpoints: what people see, and what they send. HTML out; forms in, small and of the page's own making.

- Whoever is not signed in sees nothing but that; whose sign-in is over goes to their issuer, and comes back to where
  they were.
- A look at a request is on record before it is shown; every change is a POST, and answers with where to look next.
- No value that was sent is in any answer, but a comment: masked, once it is kept, and as it was to whoever sent it from
  this very page when their sign-in was over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from phigate import answering
from phigate.answering import Answering
from phigate.approval.refusals import No
from phigate.approval.tickets import MOST_COMMENT
from phigate.console import signin
from phigate.console.page import session, words
from phigate.console.page.guard import HEADERS, one_line, read_cookies, read_fields
from phigate.console.page.render import page, style
from phigate.console.page.session import Session
from phigate.console.said import ip_of, read
from phigate.console.signin import CALLBACK, HOME, NotBack, place_of
from phigate.identity.grants import GrantFault, read_form
from phigate.identity.outcome import Refused, Unavailable
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from phigate.answering import Caller, Verdict
    from phigate.console.provider import Provider
    from phigate.ledger.tickets import Ticket

MOST_FORM: Final = 16 * 1024
"""Bytes: a comment of MOST_COMMENT characters, each of them three bytes that are escaped."""
MOST_ANSWER: Final = 8 * 1024
"""Characters of a query."""
_FORM: Final = re.compile(r"application/x-www-form-urlencoded(?: *; *charset=(?:utf-8|\"utf-8\"))?", re.IGNORECASE)
_VERDICTS: Final[dict[str, Verdict]] = {"approve": "approve", "reject": "reject"}
_SAID: Final = {
    "malformed": (400, "What was sent cannot be read."),
    "not-ours": (403, "This was not sent from this page as you have it. Nothing was done; please look again."),
    "unknown": (404, "There is no such request, or it is not yours to see."),
    "ticket-over": (409, "This request is not waiting any more."),
    "already-said": (409, "You have answered this already."),
    "own-request": (403, "Nobody answers what they asked for themselves."),
    "not-an-approver": (403, "No rule lets you answer this."),
}
_SIGN_IN: Final = f"{HOME}/sign-in"


class Desk(session.Desk, answering.Desk, Protocol):
    """What the page asks of the house."""

    def shown(self, text: str) -> str: ...


class _Away(Exception):  # noqa: N818 -- an answer, not an error
    """Somebody is not signed in: what they get instead."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def routes(desk: Desk, provider: Provider) -> APIRouter:
    """The endpoints."""
    router, here = APIRouter(), _Endpoints(desk, provider)
    for method, path, endpoint in (
        ("GET", "/", here.home),
        ("GET", HOME, here.listed),
        ("GET", f"{HOME}/tickets/{{name}}", here.ticket),
        ("POST", f"{HOME}/tickets/{{name}}", here.answer),
        ("GET", f"{HOME}/reviews/{{name}}", here.review),
        ("POST", f"{HOME}/reviews/{{name}}", here.sign),
        ("GET", _SIGN_IN, here.begin),
        ("GET", CALLBACK, here.enter),
        ("POST", f"{HOME}/sign-out", here.leave),
        ("GET", f"{HOME}/style.css", here.style),
    ):
        answered = here.guarded(endpoint)
        router.add_api_route(path, answered, methods=[method], include_in_schema=False, response_model=None)
    return router


class _Endpoints:
    def __init__(self, desk: Desk, provider: Provider) -> None:
        self._desk = desk
        self._session = Session(desk, provider)
        self._answering = Answering(desk)

    def guarded(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            try:
                return await endpoint(request)
            except _Away as away:
                return away.response
            except No as no:
                status, sentence = _SAID[no.reason]
                return self._said("Not done", sentence, status, link=HOME, label="All requests")
            except (LedgerDown, JournalDown, Unrecordable):
                status, sentence = signin.SENTENCES["unavailable"]
                return self._said("Not now", sentence, status, link=HOME, label="Try again")

        return asked

    # -- what people see --------------------------------------------------------------------------------------------

    async def home(self, _request: Request) -> Response:
        return self._to(HOME)

    async def style(self, _request: Request) -> Response:
        return Response(style(), media_type="text/css", headers=dict(HEADERS) | {"cache-control": "max-age=300"})

    async def listed(self, request: Request) -> Response:
        """What waits, without what it holds."""
        caller, now = await self._caller(request), self._desk.now()
        every = [self._asked(words.listed(each), caller) for each in await self._answering.waiting(caller)]
        return self._page(
            "desk",
            "Requests",
            caller,
            others=[each for each in every if not each.own],
            own=[each for each in every if each.own],
            reviews=[words.reviewed(words.listed(each)) for each in await self._answering.to_review(caller)],
            at=words.moment(now),
        )

    async def ticket(self, request: Request) -> Response:
        caller = await self._caller(request)
        asked = self._asked(await self._answering.see(_name(request), caller), caller)
        title = f"{asked.seen.who} asks to {asked.seen.wants}"
        return self._page("ticket", title, caller, asked=asked, limit=MOST_COMMENT)

    async def review(self, request: Request) -> Response:
        caller = await self._caller(request)
        seen = words.reviewed(await self._answering.see_review(_name(request), caller))
        return self._page("review", f"{seen.who} used break-glass", caller, seen=seen, limit=MOST_COMMENT)

    def _asked(self, ticket: Ticket, caller: Caller) -> words.Asked:
        now = self._desk.now()
        reviews = self._answering.may_review(caller, now)
        return words.asked(ticket, self._desk.policy, caller, reviews=reviews, now=now)

    # -- what they send ---------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        caller, said = await self._form(request)
        name, comment = _name(request), self._comment(said)
        if said.get("verdict") == "revoke":
            await self._answering.revoke(name, caller, comment)
        else:
            await self._answering.answer(name, caller, _verdict(said), comment)
        return self._to(f"{HOME}/tickets/{name}")

    async def sign(self, request: Request) -> Response:
        caller, said = await self._form(request)
        await self._answering.sign(_name(request), caller, _verdict(said), self._comment(said))
        sentence = "Your review is on record."
        return self._said("Reviewed", sentence, link=HOME, label="All requests", caller=caller)

    def _comment(self, said: dict[str, str]) -> str:
        comment = one_line(said.get("comment", ""))
        if len(comment) > MOST_COMMENT:
            raise No("malformed")
        return self._desk.shown(comment) if comment else ""

    async def _form(self, request: Request) -> tuple[Caller, dict[str, str]]:
        """Who sends a form, and what it says; first that it is the page's own, from this very sign-in."""
        if not self._session.place.own(request.headers):
            raise No("not-ours")
        fields = read_fields(await read(request, _FORM, MOST_FORM))
        if fields is None:
            raise No("malformed")
        caller = await self._caller(request, fields.get("comment", ""))
        if not self._session.tokens.fits(caller.subject.jti or "", fields.get("token", "")):
            raise No("not-ours")
        return caller, fields

    # -- who they are -----------------------------------------------------------------------------------------------

    async def begin(self, request: Request) -> Response:
        place = place_of(request.query_params.get("to"))
        if self._session.place.from_elsewhere(request.headers):
            return self._to(place)  # it is begun by people, and by this page
        begun = await self._session.begin(place, anew=request.query_params.get("anew") == "1")
        if isinstance(begun, NotBack):
            return self._not_back(begun)
        url, cookie = begun
        return self._to(url, [*self._session.abandoned(_cookies(request)), cookie], base="")

    async def enter(self, request: Request) -> Response:
        query = request.scope["query_string"]
        answer = read_form(query) if len(query) <= MOST_ANSWER else GrantFault("invalid_request", "too-large", "")
        if isinstance(answer, GrantFault):
            return self._not_back(NotBack("answer-malformed"))
        said = {name: values[0] for name, values in answer.items()}
        entered = await self._session.enter(said, _cookies(request), ip_of(request))
        if isinstance(entered, NotBack):
            return self._not_back(entered)
        # The cookie is strict: only a way that begins on this page brings it.
        sentence = "You are signed in."
        return self._said("Signed in", sentence, link=entered.place, then=entered.place, cookies=entered.cookies)

    async def leave(self, request: Request) -> Response:
        caller, _ = await self._form(request)
        dropped = await self._session.leave(caller)
        sentence = "You are signed out here. At your sign-in provider you may still be signed in."
        return self._said("Signed out", sentence, link=f"{_SIGN_IN}?anew=1", label="Sign in", cookies=[dropped])

    async def _caller(self, request: Request, comment: str = "") -> Caller:
        """Who looks; raises _Away with what they get who are not signed in: their `comment` back, to be sent again."""
        if self._desk.policy.sign_in is None:
            raise _Away(self._not_back(NotBack("not-set-up")))
        found = await self._session.caller(_cookies(request), ip_of(request))
        if isinstance(found, Unavailable):
            raise _Away(self._not_back(NotBack("unavailable")))
        if isinstance(found, Refused):
            raise _Away(self._signed_out(request, found, comment))
        return found

    def _signed_out(self, request: Request, why: Refused, comment: str) -> Response:
        path = str(request.scope["path"])
        place = place_of(path)
        to = f"{_SIGN_IN}?{urlencode({'to': place})}"
        if request.method != "GET":
            sentence = "Your sign-in was over before this arrived. Nothing was done."
            again, written = "Sign in, and look again", comment[:MOST_COMMENT]
            return self._said("Not done", sentence, 403, link=to, label=again, written=written)
        if self._session.place.from_elsewhere(request.headers):
            return self._said("One moment", "This page is opened from elsewhere.", link=place, then=place)
        if why.reason == "expired":
            return self._to(to)
        sentence = "Approvers sign in to see what waits for them."
        if why.reason != "bearer-missing":
            sentence = "Your sign-in does not count any more."
        return self._said("Sign in", sentence, link=to, label="Sign in")

    def _not_back(self, why: NotBack) -> Response:
        status, sentence = signin.SENTENCES[why.reason]
        if why.reason == "not-set-up":
            return self._said("Not set up", sentence, status)
        to = f"{_SIGN_IN}?{urlencode({'to': why.place})}"
        return self._said("Not signed in", sentence, status, link=to, label="Sign in again")

    # -- answers ----------------------------------------------------------------------------------------------------

    def _to(self, where: str, cookies: Iterable[str] = (), base: str | None = None) -> Response:
        base = self._session.place.base if base is None else base
        return _with(Response(status_code=303, headers=dict(HEADERS) | {"location": base + where}), cookies)

    def _page(self, template: str, title: str, caller: Caller, **values: object) -> Response:
        token = self._session.tokens.of(caller.subject.jti or "")
        base = self._session.place.base
        text = page(template, title=title, base=base, who=caller.subject.id, token=token, **values)
        return Response(text, media_type="text/html", headers=dict(HEADERS))

    def _said(
        self,
        title: str,
        sentence: str,
        status: int = 200,
        *,
        link: str = "",
        label: str = "Go on",
        then: str = "",
        written: str = "",
        cookies: Iterable[str] = (),
        caller: Caller | None = None,
    ) -> Response:
        who = {"who": caller.subject.id, "token": self._session.tokens.of(caller.subject.jti or "")} if caller else {}
        told = {"sentence": sentence, "link": link, "label": label, "then": then, "written": written}
        text = page("said", title=title, base=self._session.place.base, **told, **who)
        headers = dict(HEADERS) | ({"retry-after": "5"} if status == 503 else {})
        return _with(Response(text, status, media_type="text/html", headers=headers), cookies)


def _with(response: Response, cookies: Iterable[str]) -> Response:
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response


def _verdict(said: dict[str, str]) -> Verdict:
    verdict = _VERDICTS.get(said.get("verdict", ""))
    if verdict is None:
        raise No("malformed")
    return verdict


def _cookies(request: Request) -> dict[str, str]:
    return read_cookies(request.headers.getlist("cookie"))


def _name(request: Request) -> str:
    return str(request.path_params["name"])
