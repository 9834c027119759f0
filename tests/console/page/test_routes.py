"""The page as people use it: signed in, what waits, yes and no; and what does not count."""

import time

import pytest
from lxml import html

from phigate.console.page import routes
from phigate.console.said import SAID
from phigate.journal.writer import JournalDown
from phigate.ledger.tickets import Review
from phigate.serving import read_policy
from tests.console.page.stand import OURS, Stand
from tests.stage import ISSUER

SESSION = "__Host-phi-session"


def words(answer):
    return " ".join(html.document_fromstring(answer.text).text_content().split())


async def reviewable(stand, who="ada"):
    shown = {"model": "llama3", "reason": "cardiac arrest", "prompt": "[PERSON]"}
    await stand.house.agreement.approvals.open_review(
        Review("ex-9", "emergency", (ISSUER, who), ("officer",), time.time(), shown)
    )


async def test_who_is_not_signed_in_sees_a_way_to_and_nothing_else(stand):
    await stand.waiting()
    answer = await stand.client.get("/desk/tickets/t-1")
    assert "Approvers sign in" in words(answer)
    assert "ada" not in answer.text
    assert 'href="/desk/sign-in?to=%2Fdesk%2Ftickets%2Ft-1"' in answer.text
    assert (await stand.client.get("/")).headers["location"] == "/desk"


async def test_an_approver_sees_what_waits_and_a_look_at_one_is_on_record(stand):
    await stand.waiting()
    await reviewable(stand)
    await stand.sign_in()
    listed = words(await stand.client.get("/desk"))
    assert "Signed in as eve" in listed
    assert "ada asks to chat and see identifiers as they are, llama3" in listed
    assert "0 of 1 said yes" in listed
    assert "ada used break-glass, llama3" in listed
    assert stand.kept("look") == []
    one = words(await stand.client.get("/desk/tickets/t-1"))
    assert "Waits 59 seconds more" in one or "Waits 58 seconds more" in one
    assert "A yes lets ada chat and see identifiers as they are: this very request, once" in one
    (look,) = stand.kept("look")
    assert (look["subject"]["id"], look["client"]["via"], look["about"]["ticket"]) == ("eve", "page", "t-1")


async def test_a_list_lays_out_no_prompt(stand, monkeypatch):
    await stand.waiting()
    await reviewable(stand)
    await stand.sign_in()
    laid_out = []

    def whole(prompt):
        laid_out.append(prompt)
        return []

    monkeypatch.setattr("phigate.console.page.words.whole", whole)
    for path, prompts in (("/desk", 0), ("/desk/tickets/t-1", 1)):
        assert (await stand.client.get(path)).status_code == 200
        assert len([each for each in laid_out if each is not None]) == prompts


async def test_nothing_is_shown_whose_look_cannot_be_recorded(stand, monkeypatch):
    await stand.waiting()
    await stand.sign_in()

    async def down(*_):
        raise JournalDown("full")

    monkeypatch.setattr(stand.house, "record", down)
    answer = await stand.client.get("/desk/tickets/t-1")
    assert (answer.status_code, "PERSON" in answer.text) == (503, False)


async def test_a_yes_gives_a_grant(stand):
    await stand.waiting()
    await stand.sign_in()
    comment = "seen\r\nfor Mrs. Jane Roe, MRN 12345678"
    answer = await stand.send("/desk/tickets/t-1", verdict="approve", comment=comment)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/tickets/t-1")
    (grant,) = await stand.house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())
    assert grant.ticket == "t-1"
    (said,) = stand.kept("ticket")
    assert (said["decision"], said["subject"]["id"], said["client"]["via"]) == ("approve", "eve", "page")
    after = words(await stand.client.get("/desk/tickets/t-1"))
    assert "This request: approved." in after
    assert "Yes eve" in after
    assert "12345678" not in after
    assert "Take the yes back" in after


async def test_a_no_ends_it_and_a_second_answer_counts_for_nothing(stand):
    await stand.waiting()
    await stand.sign_in()
    await stand.send("/desk/tickets/t-1", verdict="reject")
    assert "rejected" in words(await stand.client.get("/desk/tickets/t-1"))
    again = await stand.send("/desk/tickets/t-1", verdict="approve")
    assert (again.status_code, "not waiting any more" in words(again)) == (409, True)
    assert await stand.house.agreement.approvals.live_grants((ISSUER, "ada"), time.time()) == []


async def test_what_was_given_is_taken_back(stand):
    await stand.waiting()
    await stand.sign_in()
    await stand.send("/desk/tickets/t-1", verdict="approve")
    await stand.send("/desk/tickets/t-1", verdict="revoke")
    assert await stand.house.agreement.approvals.live_grants((ISSUER, "ada"), time.time()) == []
    assert stand.kept("ticket")[-1]["decision"] == "revoke"


async def test_the_requester_sees_and_takes_back_but_never_answers(stand):
    await stand.waiting()
    await stand.sign_in("ada", "ward", "privacy")
    one = await stand.client.get("/desk/tickets/t-1")
    assert 'value="approve"' not in one.text
    assert "Take the request back" in words(one)
    answer = await stand.send("/desk/tickets/t-1", verdict="approve")
    assert (answer.status_code, "asked for themselves" in words(answer)) == (403, True)
    await stand.send("/desk/tickets/t-1", verdict="revoke")
    assert (await stand.house.agreement.approvals.ticket("t-1")).state == "revoked"


async def test_others_see_nothing(stand):
    await stand.waiting()
    await reviewable(stand)
    await stand.sign_in("ben", "lab")
    assert "ada" not in words(await stand.client.get("/desk"))
    for path in ("/desk/tickets/t-1", "/desk/tickets/t-7", "/desk/tickets/%00", "/desk/reviews/ex-9"):
        answer = await stand.client.get(path)
        assert (answer.status_code, "not yours to see" in words(answer)) == (404, True)
    assert (await stand.send("/desk/tickets/t-1", verdict="approve")).status_code == 404
    assert (await stand.send("/desk/reviews/ex-9", verdict="approve")).status_code == 404


@pytest.mark.parametrize("verdict", ["approve", "reject"])
async def test_a_use_of_break_glass_is_reviewed(stand, verdict):
    await reviewable(stand)
    await stand.sign_in()
    one = words(await stand.client.get("/desk/reviews/ex-9"))
    assert "cardiac arrest" in one
    assert "[PERSON]" in one
    assert stand.kept("look")[-1]["about"] == {"exchange": "ex-9"}
    answer = await stand.send("/desk/reviews/ex-9", verdict=verdict, comment="ok")
    assert "on record" in words(answer)
    (review,) = stand.kept("review")
    assert (review["decision"], review["subject"]["id"]) == (verdict, "eve")
    assert (await stand.client.get("/desk/reviews/ex-9")).status_code == 404


# -- what does not count --------------------------------------------------------------------------------------------

ELSEWHERE = [
    {},
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"origin": "https://console.example", "sec-fetch-site": "same-site"},
]


async def test_csrf_a_form_of_another_page_counts_for_nothing(stand):
    await stand.waiting()
    await stand.sign_in()
    for headers in ELSEWHERE:
        answer = await stand.send("/desk/tickets/t-1", headers, verdict="approve")
        assert (answer.status_code, "Nothing was done" in words(answer)) == (403, True), headers
    assert (await stand.house.agreement.approvals.ticket("t-1")).said == ()


async def test_csrf_a_form_of_another_sign_in_counts_for_nothing(stand):
    await stand.waiting()
    await stand.sign_in("kai")
    other = await stand.token()
    await stand.sign_in("eve")
    for token in (other, "", "x"):
        answer = await stand.send("/desk/tickets/t-1", verdict="approve", token=token)
        assert answer.status_code == 403
    assert (await stand.house.agreement.approvals.ticket("t-1")).said == ()


async def test_nothing_changes_by_looking(stand):
    await stand.waiting()
    await stand.sign_in()
    token = await stand.token()
    await stand.client.get("/desk/tickets/t-1", params={"verdict": "approve", "token": token})
    answer = await stand.client.post(f"/desk/tickets/t-1?verdict=approve&token={token}", headers=OURS)
    assert answer.status_code in {400, 403}
    assert (await stand.client.get("/desk/sign-out")).status_code == 405
    assert (await stand.house.agreement.approvals.ticket("t-1")).said == ()


URLENCODED = "application/x-www-form-urlencoded"
UNREADABLE = [
    (b"verdict=approve&verdict=reject&token=T", URLENCODED),
    (b'{"verdict": "approve"}', "application/json"),
    (b"verdict=approve&token=T", "text/plain"),
    (b"verdict=perhaps&token=T", URLENCODED),
    (b"token=T&verdict=approve&comment=" + b"x" * 20_000, URLENCODED),
    (b"token=T&verdict=approve&comment=" + b"x" * 1_001, URLENCODED),
]


async def test_forms_that_cannot_be_read(stand):
    await stand.waiting()
    await stand.sign_in()
    token = (await stand.token()).encode()
    for said, kind in UNREADABLE:
        headers = OURS | {"content-type": kind}
        answer = await stand.client.post("/desk/tickets/t-1", content=said.replace(b"T", token), headers=headers)
        assert (answer.status_code, "cannot be read" in words(answer)) == (400, True), said[:40]
    assert (await stand.house.agreement.approvals.ticket("t-1")).said == ()


async def test_the_longest_comment_arrives(stand):
    await stand.waiting()
    await stand.sign_in()
    await stand.send("/desk/tickets/t-1", verdict="approve", comment="\u20ac" * 1000)
    assert len((await stand.house.agreement.approvals.ticket("t-1")).said[0].comment) == 1000


# -- the life of a sign-in ------------------------------------------------------------------------------------------


async def test_whose_sign_in_is_over_goes_to_the_issuer_and_comes_back_to_the_place(stand, monkeypatch):
    await stand.waiting(until=time.time() + 9999)
    await stand.sign_in()
    token, later = await stand.token(), time.time() + 1000
    monkeypatch.setattr(stand.desk, "now", lambda: later)
    answer = await stand.client.get("/desk/tickets/t-1")
    assert answer.headers["location"] == "/desk/sign-in?to=%2Fdesk%2Ftickets%2Ft-1"
    said = {"token": token, "verdict": "approve", "comment": "a long one <b>"}
    sent = await stand.client.post("/desk/tickets/t-1", data=said, headers=OURS)
    assert (sent.status_code, "Nothing was done" in words(sent)) == (403, True)
    assert "a long one &lt;b&gt;" in sent.text
    assert 'href="/desk/sign-in?to=%2Fdesk%2Ftickets%2Ft-1"' in sent.text
    assert (await stand.house.agreement.approvals.ticket("t-1")).said == ()


async def test_a_link_from_elsewhere_is_opened_by_the_page_itself(stand):
    """The strict cookie did not come along; nothing is begun by somebody else's link either."""
    for path in ("/desk/tickets/t-1", "/desk"):
        answer = await stand.client.get(path, headers={"sec-fetch-site": "cross-site"})
        assert f'content="0;url={path}"' in answer.text
    begun = await stand.client.get("/desk/sign-in?to=/desk", headers={"sec-fetch-site": "cross-site"})
    assert (begun.headers["location"], begun.headers.get("set-cookie")) == ("/desk", None)


async def test_open_redirect_nobody_is_taken_anywhere_else(stand):
    for to in ("https://evil.example", "//evil.example", "/desk/../x", "javascript:alert(1)"):
        answer = await stand.back(await stand.begin(to))
        assert 'content="0;url=/desk"' in answer.text
        assert "evil" not in answer.text


async def test_signing_out_takes_the_bearer_back(stand):
    await stand.sign_in()
    kept = stand.client.cookies[SESSION]
    answer = await stand.send("/desk/sign-out")
    assert "signed out here" in words(answer)
    assert "/desk/sign-in?anew=1" in answer.text
    assert SESSION not in stand.client.cookies
    (record,) = stand.kept("revocation")
    assert (record["reason"], record["subject"]["id"]) == ("signed-out", "eve")
    await stand.house.agreement.look()
    stand.client.cookies.set(SESSION, kept, domain="console.example")
    assert "does not count any more" in words(await stand.client.get("/desk"))
    assert "prompt=login" in (await stand.client.get("/desk/sign-in?anew=1")).headers["location"]
    assert "prompt" not in (await stand.client.get("/desk/sign-in")).headers["location"]


async def test_what_the_policy_takes_away_is_gone_at_once(stand, tmp_path):
    await stand.waiting()
    await stand.sign_in()
    path = tmp_path / "policy.yaml"
    path.write_text(path.read_text().replace("officer: [privacy]", "officer: [others]"))
    stand.house.put_in_force(read_policy(path))
    assert (await stand.client.get("/desk/tickets/t-1")).status_code == 404


async def test_another_instance_goes_on_where_one_began(stand):
    came = await stand.begin()
    stand.elsewhere()
    await stand.back(came)
    stand.elsewhere()
    assert "Signed in as eve" in words(await stand.client.get("/desk"))


async def test_what_another_site_writes_is_on_no_page(stand):
    for headers in ELSEWHERE:
        said = {"comment": "call 555-0100 at once"}
        assert "555-0100" not in (await stand.client.post("/desk/tickets/t-1", data=said, headers=headers)).text


def test_every_reason_has_its_sentence():
    elsewhere = {"bearer-missing", "bearer-refused", "signature-refused", "unavailable"}
    assert set(SAID) - elsewhere <= set(routes._SAID)


async def test_every_answer_carries_the_headers(stand):
    await stand.sign_in()
    for path in ("/desk", "/desk/style.css", "/desk/sign-in", "/desk/callback", "/desk/tickets/t-9"):
        headers = (await stand.client.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert ("no-store" in headers["cache-control"]) is (path != "/desk/style.css")


async def test_the_page_may_be_below_a_path(tmp_path):
    stand = Stand(tmp_path, console="https://tools.example/phigate")
    await stand.house.agreement.look()
    stand.client.base_url = "https://tools.example"
    answer = await stand.client.get("/desk")
    assert 'href="/phigate/desk/style.css"' in answer.text
    assert (await stand.client.get("/")).headers["location"] == "/phigate/desk"
    await stand.close()
