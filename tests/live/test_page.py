"""The console's page in a real browser, with a real mitmdump and an issuer: from the sign-in to the model's answer."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx
import pytest

from model_server import Answer
from people import policy_for
from processes import Gateway, free_port
from tests import browser
from tests.browser import Browser
from tests.peers.oidc_provider import Client, OidcProvider
from tests.traffic import CHAT, chat, completion, records

pytestmark = [pytest.mark.live, pytest.mark.skipif(not browser.FOUND, reason=browser.MISSING)]

HOSTILE = "</pre><script>document.title='taken'</script><img src=//x.example onerror=document.title='taken'>"


@pytest.fixture(scope="module")
def gate(_model, issuer, tmp_path_factory):
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("policy"))
    with Gateway(_model.url, policy, tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    with Browser() as running:
        yield running


@pytest.fixture
def page(chromium, gate):
    """A browser that has been nowhere."""
    chromium.do("Network.clearBrowserCookies")
    chromium.complaints.clear()
    yield chromium
    assert refused(chromium) == []


def refused(page):
    """What the browser complains of, but for answers that say no."""
    return [each for each in page.complaints if "status of 4" not in each]


def ask(gate, bearer, text="How is the patient?", **headers):
    headers["authorization"] = f"Bearer {bearer}"
    return httpx.post(f"{gate.url}{CHAT}", json=chat(text), headers=headers, trust_env=False)


def held(gate, bearer, text="How is the patient?", why="ward round"):
    answer = ask(gate, bearer, text, **{"phi-unmask": why})
    assert answer.status_code == 403
    return answer.json()["error"]["ticket"]


def sign_in(page, who="kai.holm"):
    page.click("Sign in")
    page.shows("Who are you?")
    page.click(who)


def kept(gate, kind):
    return [record for record in records(gate.journal) if record["kind"] == kind]


def test_an_approver_signs_in_looks_says_yes_and_the_request_passes(gate, page, model, bearers):
    model.script = Answer(completion("Patient Jane Roe, MRN 12345678, is well."))
    doctor = bearers["dr.okafor"]
    ticket = held(gate, doctor, f"MRN 12345678 {HOSTILE}", why="ward round <b>now</b>")
    page.go(f"{gate.console_url}/desk/tickets/{ticket}")
    sign_in(page)
    page.shows("dr.okafor asks to chat and see identifiers as they are")
    assert urlsplit(page.where).path == f"/desk/tickets/{ticket}"
    assert HOSTILE[: HOSTILE.index("<img")] in page.text
    assert "12345678" not in page.text
    assert page.js("document.scripts.length + document.images.length") == 0
    assert "taken" not in page.js("document.title")
    assert "30 minutes of the last yes" in page.text
    (cookie,) = page.cookies().values()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["name"]) == (True, "Strict", "phi-session")
    page.write("#comment", "seen at the bedside")
    page.press("Enter", 13)  # a key that is pressed in the comment answers nothing
    assert page.js("document.querySelector('#comment').value").startswith("seen")
    assert kept(gate, "grant") == []
    page.click("Yes, let dr.okafor")
    page.shows("This request: approved.")
    assert "seen at the bedside" in page.text
    assert "12345678" in ask(gate, doctor, f"MRN 12345678 {HOSTILE}", **{"phi-unmask": "ward round"}).text
    (said,) = [each for each in kept(gate, "ticket") if each["decision"] == "approve"]
    assert (said["subject"]["id"], said["client"]["via"]) == ("kai.holm", "page")
    assert [each["client"]["via"] for each in kept(gate, "look")] == ["page"] * 2
    page.click("Take the yes back")
    page.shows("This request: taken back.")
    assert held(gate, doctor) != ticket


def test_a_no_and_the_list(gate, page, bearers):
    ticket = held(gate, bearers["dr.okafor"], "And the other one?")
    page.go(f"{gate.console_url}/")
    sign_in(page)
    page.shows("For you to answer")
    page.go(f"{gate.console_url}/desk/tickets/{ticket}")
    page.click("No")
    page.shows("This request: rejected.")
    page.click("All requests")
    page.shows("Emergencies to review")
    assert ticket not in page.js("document.body.innerHTML")


def test_the_requester_finds_no_yes_on_the_page(gate, page, bearers):
    ticket = held(gate, bearers["dr.okafor"], "Who else?")
    page.go(f"{gate.console_url}/desk/tickets/{ticket}")
    sign_in(page, "dr.okafor")
    page.shows("Take the request back")
    assert page.js("document.querySelector('button[value=approve]')") is None
    page.click("Take the request back")
    page.shows("This request: taken back.")


def test_an_emergency_is_reviewed(gate, page, model, bearers):
    model.script = Answer(completion())
    assert ask(gate, bearers["dr.okafor"], **{"phi-break-glass": "cardiac arrest"}).status_code == 200
    page.go(f"{gate.console_url}/desk")
    sign_in(page)
    page.click("dr.okafor used break-glass")
    page.shows("cardiac arrest")
    page.click("It was an emergency")
    page.shows("on record")
    assert [each["client"]["via"] for each in kept(gate, "review")] == ["page"]


def test_signing_out_ends_it_and_another_person_can_sign_in(gate, page):
    page.go(f"{gate.console_url}/desk")
    sign_in(page)
    page.shows("Signed in as kai.holm")
    page.click("Sign out")
    page.shows("You are signed out here.")
    assert "phi-session" not in page.cookies()
    sign_in(page, "lee.castellano")
    page.shows("Signed in as lee.castellano")


def test_the_providers_own_session_brings_people_back_without_a_word(gate, page):
    page.go(f"{gate.console_url}/desk")
    sign_in(page)
    page.shows("Signed in as kai.holm")
    page.do("Network.deleteCookies", name="phi-session", url=gate.console_url)
    page.go(f"{gate.console_url}/desk")
    page.click("Sign in")
    page.shows("Signed in as kai.holm")


@pytest.fixture
def elsewhere():
    """Another site (`localhost` is not `127.0.0.1`): gives the address of a page that holds this."""

    class Page(BaseHTTPRequestHandler):
        html = ""

        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(Page.html.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def holding(html):
        Page.html = html
        return f"http://localhost:{server.server_port}/"

    yield holding
    server.shutdown()
    server.server_close()


def test_another_sites_form_link_and_frame(gate, page, bearers, elsewhere):
    ticket = held(gate, bearers["dr.okafor"], "Anybody else?")
    there = f"{gate.console_url}/desk/tickets/{ticket}"
    page.go(there)
    sign_in(page)
    page.shows("Your answer")
    token = page.js("document.querySelector('input[name=token]').value")
    fields = f'<input name="token" value="{token}"><input name="verdict" value="approve">'
    page.go(elsewhere(f'<form method="post" action="{there}">{fields}<button>Win a prize</button></form>'))
    page.click("Win a prize")
    page.shows("Nothing was done")
    page.go(elsewhere(f'<a href="{there}">Have a look</a>'))
    page.click("Have a look")
    page.shows("Your answer")  # though its cookie is strict: the page opens itself
    assert "0 of 1 said yes" in page.text
    page.go(elsewhere(f'<iframe src="{there}"></iframe><iframe src="{gate.console_url}/healthz"></iframe>'))
    page.until(lambda: page.js("1") and refused(page), "a frame that is refused")
    assert ["frame-ancestors" in each for each in refused(page)] == [True]
    page.complaints.clear()


def test_a_code_is_good_in_the_browser_that_asked_for_it_and_once(gate, page, issuer):
    with httpx.Client(trust_env=False) as attacker:
        begun = attacker.get(f"{gate.console_url}/desk/sign-in")
        back = attacker.post(begun.headers["location"], data={"person": "lee.castellano"}).headers["location"]
        page.go(back)
        page.shows("not begun in this browser")
        assert "phi-session" not in page.cookies()
        assert "You are signed in" in attacker.get(back).text
        assert "not begun in this browser" in attacker.get(back).text


def test_it_fits_a_phone_and_the_dark(gate, page, bearers):
    ticket = held(gate, bearers["dr.okafor"], "x" * 300)
    page.go(f"{gate.console_url}/desk/tickets/{ticket}")
    sign_in(page)
    page.shows("Your answer")
    page.looks(width=360, height=700)
    assert page.js("document.documentElement.scrollWidth") <= 360
    light = page.js("getComputedStyle(document.body).backgroundColor")
    page.looks(dark=True)
    assert page.js("getComputedStyle(document.body).backgroundColor") != light
    page.looks()


def test_tab_reaches_everything_and_shows_where_it_is(gate, page, bearers):
    ticket = held(gate, bearers["dr.okafor"], "By keyboard?")
    page.go(f"{gate.console_url}/desk/tickets/{ticket}")
    sign_in(page)
    page.shows("Your answer")
    reached = []
    for _ in range(12):
        page.press("Tab", 9)
        told = "JSON.stringify([document.activeElement.innerText.trim() || document.activeElement.name,"
        reached.append(json.loads(page.js(f"{told} getComputedStyle(document.activeElement).outlineStyle])")))
    names = [name for name, _ in reached]
    for wanted in ("To the content", "Sign out", "All requests", "comment", "No"):
        assert wanted in names
    assert any(name.startswith("Yes, let dr.okafor") for name in names)
    assert {style for _, style in reached[: names.index("No") + 1]} == {"solid"}


def test_a_certified_provider_signs_people_in_or_not(page, model, tmp_path):
    """npm's oidc-provider, at its own pages; it has to be told by `resource` for whom its bearers are."""
    console = free_port()
    people = {"kai.holm": Client("secret-of-the-officer", ("privacy",))}
    ours = {"phigate-console": Client("", redirect=f"http://127.0.0.1:{console}/desk/callback")}
    with OidcProvider(clients=people | ours) as provider:
        policy = policy_for(provider.url, tmp_path)
        client = "  client_id: phigate-console\n"
        assert client in policy.read_text()
        policy.write_text(policy.read_text().replace(client, f"{client}  resource: 'urn:bearer:RS256'\n"))
        with Gateway(model.url, policy, tmp_path / "gateway", console=console) as gateway:
            page.go(f"{gateway.console_url}/desk")
            page.click("Sign in")
            page.shows("Sign-in")
            page.click("[ Cancel ]")
            page.shows("did not sign in, or are not let in")
            page.click("Sign in again")
            page.shows("Sign-in")
            page.write("input[name=login]", "kai.holm")
            page.write("input[name=password]", "whatever")
            page.click("Sign-in")
            page.shows("Authorize")
            page.click("Continue")
            page.shows("Signed in as kai.holm")
            page.complaints.clear()  # the provider's pages ask for letters from elsewhere
            (said,) = kept(gateway, "token")
            assert (said["grant"], said["subject"]["roles"]) == ("sign-in", ["privacy-officer"])
