"""Signing in, step by step, by what may go wrong: at the issuer, on the way, and in the browser."""

import time
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI

from phigate.console import tokens
from phigate.console.page.guard import LONGEST_COOKIE
from phigate.console.page.session import MOST_BEGUN
from phigate.console.signin import SENTENCES
from phigate.identity import grants
from phigate.identity.strict import read_bearer
from phigate.ledger import LedgerDown, Revocation
from phigate.serving import read_policy
from tests.console.page.stand import SIGN_IN, Stand
from tests.identity import forge
from tests.stage import ISSUER, bearer

SESSION = "__Host-phi-session"


def signed_in(stand, browser=None):
    return SESSION in (browser or stand.client).cookies


async def refused(stand, came, reason, browser=None):
    answer = await stand.back(came, browser)
    status, sentence = SENTENCES[reason]
    assert (answer.status_code, sentence in unescape(answer.text)) == (status, True), answer.text
    assert not signed_in(stand, browser)
    assert came.get("code", "c0de") not in answer.text
    return answer


async def test_somebody_signs_in_and_comes_back_to_where_they_were(stand):
    answer = await stand.sign_in("eve", "privacy", "unknown-to-the-policy", to="/desk/tickets/t-1")
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0;url=/desk/tickets/t-1">' in answer.text
    kept, dropped = answer.headers.get_list("set-cookie")
    assert kept.startswith(f"{SESSION}=")
    assert kept.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
    assert "Max-Age=0" in dropped
    said = read_bearer(stand.client.cookies[SESSION]).claims
    assert (said["sub"], said["idp"], said["scope"], said["groups"]) == ("eve", ISSUER, "action:review", ["privacy"])
    assert said["exp"] - said["iat"] <= 900
    (record,) = stand.kept("token")
    assert (record["grant"], record["decision"], record["jti"]) == ("sign-in", "permit", said["jti"])


async def test_what_is_told_the_issuer(stand):
    came = await stand.begin()
    await stand.back(came)
    (form,) = stand.redeemed
    assert form["grant_type"] == ["authorization_code"]
    assert form["redirect_uri"] == ["https://console.example/desk/callback"]
    assert form["client_id"] == ["console"]
    assert len(form["code_verifier"][0]) == 43


async def test_every_sign_in_has_a_state_a_nonce_and_a_verifier_of_its_own(stand):
    seen = []
    for _ in range(3):
        url = (await stand.client.get("/desk/sign-in")).headers["location"]
        asked = parse_qs(urlsplit(url).query)
        seen += [asked["state"][0], asked["nonce"][0], asked["code_challenge"][0]]
    assert len(set(seen)) == 9
    assert all(len(each) == 43 for each in seen)


def begun(stand):
    return [name for name in stand.client.cookies if name.startswith("__Host-phi-begun-")]


async def test_several_sign_ins_may_be_under_way_in_one_browser_but_not_many(stand):
    await stand.begin("/desk/tickets/t-1")
    assert 'url=/desk/tickets/t-2"' in (await stand.back(await stand.begin("/desk/tickets/t-2"))).text
    assert len(begun(stand)) == 1
    counts = []
    for _ in range(12):
        await stand.begin()
        counts.append(len(begun(stand)))
    assert max(counts) == MOST_BEGUN
    assert counts[-1] < MOST_BEGUN
    assert signed_in(stand)


async def test_login_csrf_a_code_of_another_browser_signs_nobody_in(stand):
    victim = stand.browser()
    await stand.begin(browser=victim)
    came = await stand.begin()
    await refused(stand, came, "not-begun", victim)
    assert stand.redeemed == []


async def test_a_code_that_nobody_asked_for_signs_nobody_in(stand):
    await refused(stand, {"code": "c0de", "state": "x" * 43, "iss": ISSUER}, "not-begun")
    await refused(stand, {"code": "c0de", "iss": ISSUER}, "not-begun")


async def test_a_changed_state_signs_nobody_in(stand):
    came = await stand.begin()
    await refused(stand, came | {"state": came["state"][:-1]}, "not-begun")


async def test_replay_of_the_callback_signs_nobody_in(stand):
    came = await stand.begin()
    before = dict(stand.client.cookies)
    assert (await stand.back(came)).status_code == 200
    again = stand.browser()
    again.cookies.update({name: value for name, value in before.items() if "begun" in name})
    await refused(stand, came, "spent", again)
    assert len(stand.redeemed) == 1


async def test_mix_up_an_answer_of_another_issuer_signs_nobody_in(stand):
    came = await stand.begin()
    await refused(stand, came | {"iss": "https://other.example"}, "answer-by-another")
    await refused(stand, {name: value for name, value in came.items() if name != "iss"}, "answer-by-another")
    assert stand.redeemed == []


async def test_a_sign_in_that_took_too_long_is_none(stand, monkeypatch):
    came = await stand.begin()
    later = time.time() + 601
    monkeypatch.setattr(stand.desk, "now", lambda: later)
    await refused(stand, came, "not-begun")


async def test_an_issuer_that_says_no(stand):
    for error, reason in (
        ("access_denied", "declined"),
        ("server_error", "provider-down"),
        ("<script>", "provider-refused"),
    ):
        came = await stand.begin("/desk/tickets/t-1")
        said = {"error": error, "error_description": "Jane Roe", "state": came["state"], "iss": ISSUER}
        answer = await refused(stand, said, reason)
        assert "Jane Roe" not in answer.text
        assert "<script" not in answer.text
        assert "/desk/sign-in?to=%2Fdesk%2Ftickets%2Ft-1" in answer.text


async def test_an_issuer_that_is_down(stand):
    stand.down = True
    answer = await stand.client.get("/desk/sign-in")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert SENTENCES["provider-down"][1] in answer.text


async def test_an_issuer_that_goes_down_on_the_way(stand):
    came = await stand.begin()
    stand.down = True
    await refused(stand, came, "provider-down")


async def test_an_issuer_that_gives_something_else(stand):
    for gives in ({"access_token": None}, {"id_token": ""}, {"token_type": "DPoP"}):
        stand.gives = gives
        await refused(stand, await stand.begin(), "token-malformed")


OF_ANOTHER = [
    ({"nonce": "another"}, "id-token-nonce"),
    ({"aud": "phigate"}, "id-token-audience"),
    ({"exp": 1}, "id-token-expired"),
    ({"iss": "https://other.example"}, "issuer-unknown"),
    ({"sub": "kai"}, "id-token-of-another"),
]


async def test_an_id_token_that_is_not_of_this_sign_in(stand):
    for claims, _ in OF_ANOTHER:
        stand.claims = claims
        await refused(stand, await stand.begin(), "not-believed")
    assert [said for _, said in stand.counted] == [reason for _, reason in OF_ANOTHER]
    assert stand.kept("token") == []


async def test_a_bearer_that_the_gateway_does_not_believe(stand):
    for other in (bearer("privacy", who="eve", aud="else"), bearer("privacy", who="eve", exp=1), "opaque-to-all-of-us"):
        stand.gives = {"access_token": other}
        await refused(stand, await stand.begin(), "not-believed")
    stand.gives = {"access_token": bearer("privacy", who="eve", nonce="n", at_hash="x")}  # an ID token is no bearer
    await refused(stand, await stand.begin(), "not-believed")
    assert [said for _, said in stand.counted] == ["aud-mismatch", "expired", "malformed", "id-token"]


async def test_somebody_whose_bearers_were_taken_back_does_not_come_in(stand):
    now = time.time()
    await stand.desk.revoke(Revocation(ISSUER, "eve", None, now, now + 999, "test", "left"))
    await stand.house.agreement.look()
    await refused(stand, await stand.begin(), "not-believed")


async def test_groups_that_no_browser_keeps(tmp_path):
    many = [f"group-{number:04}-{'x' * 60}" for number in range(80)]
    stand = Stand(tmp_path, SIGN_IN)
    text = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(text.replace("officer: [privacy]", f"officer: [privacy, {', '.join(many)}]"))
    stand.house.put_in_force(read_policy(tmp_path / "policy.yaml"))
    await stand.house.agreement.look()
    stand.groups = many
    await refused(stand, await stand.begin(), "too-many-groups")
    (record,) = stand.kept("token")
    assert (record["decision"], record["reason"]) == ("deny", "too-large")
    stand.groups = ["privacy"]
    await stand.back(await stand.begin())
    assert len(stand.client.cookies[SESSION]) < LONGEST_COOKIE
    await stand.close()


async def test_a_record_that_cannot_be_kept_lets_nobody_in(stand, monkeypatch):
    came = await stand.begin()
    stand.house.journal.close("gone")
    answer = await stand.back(came)
    assert answer.status_code == 503
    assert not signed_in(stand)


async def test_without_the_ledger_nobody_comes_in(stand, monkeypatch):
    async def down(*_):
        raise LedgerDown("down")

    came = await stand.begin()
    monkeypatch.setattr(stand.house.agreement, "spend", down)
    assert (await stand.back(came)).status_code == 503
    assert not signed_in(stand)


async def test_whatever_else_is_in_the_cookie_is_no_sign_in(stand):
    own = (await stand.sign_in()) and stand.client.cookies[SESSION]
    wide = await exchanged(stand)
    for other in (bearer("privacy", who="eve"), wide, own[:-2], own + "A", "x", forge.mint({"iss": "a"})):
        stand.client.cookies.clear()
        stand.client.cookies.set(SESSION, other, domain="console.example")
        answer = await stand.client.get("/desk")
        assert "does not count any more" in answer.text
        assert "For you to answer" not in answer.text


async def exchanged(stand):
    """A bearer of the gateway's own, for more than to review."""
    app = FastAPI()
    app.include_router(tokens.routes(stand.desk))
    form = {"grant_type": grants.EXCHANGE, "subject_token_type": grants.ACCESS_TOKEN}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.post("/token", data=form | {"subject_token": bearer("privacy", who="eve")})
    return answer.json()["access_token"]


async def test_a_policy_that_signs_in_elsewhere_now_ends_what_is_under_way(stand):
    came = await stand.begin()
    policy = stand.house.policy
    other = policy.sign_in.model_copy(update={"client_id": "other"})
    stand.house.policy = policy.model_copy(update={"sign_in": other})
    await refused(stand, came, "begun-elsewhere")


async def test_without_the_section_there_is_no_page(tmp_path):
    stand = Stand(tmp_path, "")
    await stand.house.agreement.look()
    for path in ("/desk", "/desk/tickets/t-1", "/desk/sign-in", "/desk/callback?code=c&state=s"):
        answer = await stand.client.get(path)
        assert (answer.status_code, "Sign-in is not set up" in answer.text) == (404, True)
    await stand.close()
