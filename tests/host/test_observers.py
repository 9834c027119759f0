"""Who looks on gets shadows: painted from masked parts, at every moment of an exchange."""

import json

import pytest
from mitmproxy import flow as mitmproxy_flow
from mitmproxy import io
from mitmproxy.addons import dumper, view

from phigate.capture.addon import Capture
from phigate.exchange import Refusal, Subject
from phigate.flows import Message
from phigate.host.observers import Observers, _name, caption, paint
from phigate.masking.addon import Masking
from phigate.policy.decide import Hold
from tests.stage import answered, asking, bearer, entered, meet, mitmproxy, permitted, released
from tests.traffic import CANARY_TEXT, CHAT, chat, completion, leaks

HOLDS = Hold("see", ("see",), "Wait.")
HELD = Refusal(403, "approval-required", "Wait.", decision="hold", rule="see")


def secretly(**more):
    """A request with a canary wherever one fits."""
    return asking(chat(CANARY_TEXT), said=bearer("ward"), x_patient=CANARY_TEXT, cookie=CANARY_TEXT, **more)


def everything_in(flow):
    """All that any sink could show of a flow."""
    return repr(flow.get_state()) + (flow.request.text or "") + (flow.response.text if flow.response else "")


# -- out of the chain -----------------------------------------------------------------------------------------------


class Own:
    """An addon of the operator's own."""


async def test_only_what_a_reverse_proxy_needs_stays_in_the_chain():
    with mitmproxy(view.View(), dumper.Dumper(), own := Own()) as context:
        Observers(context.master).take_out()
        names = {_name(each) for each in context.master.addons.chain}
        assert names == {"core", "block", "proxyserver", "scriptloader", "nextlayer", "tlsconfig", "own"}
        assert own in context.master.addons.chain


async def test_those_who_left_can_still_be_given_commands():
    with mitmproxy(view.View()) as context:
        Observers(context.master).take_out()
        assert context.master.addons.get("view") is not None
        assert context.master.commands.execute("view.properties.length") == 0


# -- who is watching ------------------------------------------------------------------------------------------------


async def watching(*more, **options):
    with mitmproxy(*more, **options) as context:
        observers = Observers(context.master)
        try:
            return observers.watching
        finally:
            observers.close()


async def test_most_gateways_run_unwatched():
    assert not await watching()
    assert not await watching(dumper.Dumper(), flow_detail=0)


async def test_an_empty_view_is_watching_too():
    assert await watching(view.View())


async def test_a_dumper_that_says_something_is_watching():
    assert await watching(dumper.Dumper(), flow_detail=1)


@pytest.mark.parametrize("option", ["save_stream_file", "hardump"])
async def test_a_file_of_flows_is_watching(tmp_path, option):
    assert await watching(**{option: str(tmp_path / "flows")})


async def test_a_file_of_flows_that_was_opened_before_is_the_owners_alone(tmp_path):
    file = tmp_path / "flows"
    file.touch(0o644)
    assert await watching(save_stream_file=str(file))
    assert oct(file.stat().st_mode & 0o777) == "0o600"


async def test_unwatched_no_shadow_is_painted(house):
    flow = asking()
    passage = permitted(flow, house)
    house.observers.show(passage, flow)
    assert passage.shadow is None


# -- what a shadow shows --------------------------------------------------------------------------------------------


async def shown(house, flow, *roles):
    passage = permitted(flow, house, *roles)
    await meet(Masking(house), "request", flow)
    return passage


async def test_a_shadow_of_a_request_shows_the_masked_prompt_and_the_routes_own_path(house):
    flow = secretly()
    shadow = paint(await shown(house, flow), flow)
    assert leaks(everything_in(shadow)) == []
    assert "[US_SSN]" in shadow.request.text
    assert (shadow.request.path, shadow.request.method, shadow.request.host) == (CHAT, "POST", "address")
    assert shadow.response is None
    assert shadow.marked == ":hourglass:"
    assert shadow.id != flow.id


async def test_a_shadow_shows_no_method_that_nobody_knows(house):
    flow = asking(method="QUARTERMAINE")
    assert paint(entered(flow), flow).request.method == "?"


async def test_a_shadow_says_nothing_of_a_tls_greeting(house):
    flow = asking()
    flow.client_conn.sni, flow.client_conn.alpn_offers = "quartermaine.example", [b"quartermaine"]
    flow.client_conn.error = "quartermaine"
    assert "quartermaine" not in repr(paint(entered(flow), flow).get_state())
    assert flow.client_conn.sni == "quartermaine.example"


async def test_a_shadow_of_an_answer_shows_the_masked_answer(house):
    flow = secretly()
    passage = await shown(house, flow)
    passage.plan, passage.raw, passage.exchange.finished = "whole", completion(), True
    await meet(Masking(house), "response", flow)
    flow.response = answered(completion(), x_patient=CANARY_TEXT)
    shadow = paint(passage, flow)
    assert leaks(everything_in(shadow)) == []
    assert "furosemide 40 mg" in shadow.response.text
    assert shadow.marked == ":white_check_mark:"


async def test_a_shadow_knows_who_asked_and_what_was_decided_once_that_is_on_record(house):
    flow = secretly()
    passage = await shown(house, flow)
    passage.shadow = paint(passage, flow)
    assert "phigate" not in passage.shadow.metadata
    await meet(Capture(house), "request", flow)
    kept = paint(passage, flow).metadata["phigate"]
    assert (kept["made"], kept["time"], kept["response"]) == ("live", flow.request.timestamp_start, None)
    asked = kept["request"]
    assert (asked["subject"]["id"], asked["subject"]["roles"], asked["action"]) == ("ada", ["clinician"], ["chat"])
    assert (asked["decision"]["verb"], asked["decision"]["rule"]) == ("permit", "care")
    assert asked["policy"] == house.policy.sha256
    assert "body" not in asked
    assert leaks(everything_in(passage.shadow)) == []


async def test_a_shadow_shows_the_messages_of_a_websocket(house):
    with mitmproxy(seen := view.View()) as context:
        flow = secretly()
        passage = await shown(house, flow)
        await meet(Capture(house), "request", flow)
        house.observers = Observers(context.master)
        said = Message(True, True, CANARY_TEXT.encode(), shown={"type": "x", "text": "[PERSON]"})
        house.observers.hear(passage, said)
        house.observers.show(passage, flow)
        house.observers.hear(passage, said)
        house.observers.hear(passage, Message(False, True, CANARY_TEXT.encode(), shown="[MRN]"))
        house.observers.hear(passage, Message(False, True, CANARY_TEXT.encode()))
        (shadow,) = seen
        house.observers.show(passage, flow, over=True)
    kept = [each["from"] for each in shadow.metadata["phigate"]["messages"]]
    got = [(each.from_client, each.content) for each in shadow.websocket.messages]
    assert kept == ["caller", "model"]
    assert got == [(True, b'{"type":"x","text":"[PERSON]"}'), (False, b"[MRN]")]
    assert leaks(everything_in(shadow)) == []


async def test_a_shadow_of_a_stream_shows_its_text(house):
    flow = secretly()
    passage = await shown(house, flow)
    passage.answer_shown, passage.exchange.finished = "[PERSON] slept well.", True
    shadow = paint(passage, flow)
    assert (shadow.response.text, shadow.response.headers["content-type"]) == ("[PERSON] slept well.", "text/plain")


async def test_a_shadow_of_a_refusal_shows_our_words(house):
    flow = secretly(path="/v1/Quartermaine")
    passage = entered(flow)
    passage.route, passage.exchange.refusal = None, Refusal(404, "route-unknown", "No such route.")
    flow.response = answered(completion())
    shadow = paint(passage, flow)
    assert leaks(everything_in(shadow)) == []
    assert (shadow.request.path, shadow.response.status_code, shadow.marked) == ("/(unknown)", 404, ":no_entry:")
    assert shadow.metadata["phigate"]["request"] is None
    assert json.loads(shadow.response.text)["error"]["code"] == "route-unknown"


async def test_an_error_is_shown_without_its_words(house):
    flow = secretly()
    passage = await shown(house, flow)
    flow.error = mitmproxy_flow.Error(f"unexpected: {CANARY_TEXT}")
    shadow = paint(passage, flow)
    assert leaks(everything_in(shadow)) == []
    assert shadow.error.msg == "the exchange was broken off"


async def test_one_exchange_has_one_shadow(house):
    flow = secretly()
    passage = await shown(house, flow)
    passage.shadow = first = paint(passage, flow)
    passage.exchange.refusal = HELD
    assert paint(passage, flow) is first
    assert first.response.status_code == 403


def subject(*roles):
    return Subject("https://idp.example", "ada", (), frozenset(roles), 0.0)


CAPTIONS = [
    ("nobody", {}, "nobody | permit  | nothing found"),
    ("who has no role", {"subject": subject()}, "ada (no role) | permit  | nothing found"),
    ("roles in order", {"subject": subject("b", "a")}, "ada (a, b) | permit  | nothing found"),
    ("that it waits", {"decision": HOLDS}, "nobody | hold see | nothing found"),
    ("a refusal by verb and reason", {"refusal": HELD}, "nobody | hold approval-required | nothing found"),
]


@pytest.mark.parametrize(("sentence", "changes", "said"), CAPTIONS, ids=[case[0] for case in CAPTIONS])
def test_a_caption_says(sentence, changes, said):
    passage = entered(asking())
    for name, value in changes.items():
        setattr(passage.exchange, name, value)
    assert caption(passage) == said


def test_a_caption_counts_findings_of_both_sides():
    passage = entered(asking(), "clinician")
    passage.exchange.found_in.update(PERSON=1, MRN=2)
    passage.exchange.found_out.update(PERSON=1)
    assert caption(passage).endswith("| MRN 2, PERSON 2")


# -- to whom it is shown --------------------------------------------------------------------------------------------


async def test_the_view_gets_one_shadow_and_its_changes(house):
    with mitmproxy(seen := view.View()) as context:
        house.observers = Observers(context.master)
        flow = secretly()
        passage = await shown(house, flow)
        house.observers.show(passage, flow)
        assert [each.marked for each in seen] == [":hourglass:"]
        passage.exchange.refusal = HELD
        house.observers.show(passage, flow, over=True)
        assert [each.marked for each in seen] == [":no_entry:"]
        assert [each.comment for each in seen] == [
            "ada (clinician) | hold approval-required | MRN 1, PERSON 1, US_SSN 1"
        ]
        assert flow.id not in [each.id for each in seen]


async def test_files_hold_shadows_of_what_is_over(house, tmp_path):
    flows, har = tmp_path / "flows", tmp_path / "flows.har"
    with mitmproxy(save_stream_file=str(flows), hardump=str(har)) as context:
        house.observers = Observers(context.master)
        flow = secretly()
        passage = await shown(house, flow)
        house.observers.show(passage, flow)
        passage.exchange.refusal = HELD
        house.observers.show(passage, flow, over=True)
        house.observers.close()
    with flows.open("rb") as file:
        (kept,) = io.FlowReader(file).stream()
    assert kept.metadata == {"phi_exchange": passage.exchange.id}  # nothing is on record here
    assert leaks(flows.read_bytes()) == []
    assert leaks(har.read_bytes()) == []
    assert len(json.loads(har.read_text())["log"]["entries"]) == 1


async def test_the_dumper_says_what_the_shadow_shows(house, capsys):
    with mitmproxy(dumper.Dumper(), flow_detail=3) as context:
        house.observers = Observers(context.master)
        flow = secretly()
        passage = released(flow, house)
        await meet(Masking(house), "request", flow)
        passage.exchange.finished, passage.answer_shown = True, {"text": "[PERSON]"}
        house.observers.show(passage, flow, over=True)
    said = capsys.readouterr().out
    assert "[US_SSN]" in said
    assert leaks(said) == []
