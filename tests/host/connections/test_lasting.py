"""What goes on for too long is broken off, once; WebSockets have an end of their own."""

import time

from phigate.host import lockdown
from phigate.host.connections import lasting
from phigate.host.connections.lasting import GRACE, LONGEST, end_late
from phigate.house import House
from tests.stage import asking, conversing, released


def test_an_answer_that_takes_for_ever_is_broken_off(monkeypatch, house):
    cut, now = [], time.monotonic()
    monkeypatch.setattr(lockdown, "cut_upstream", lambda _master, flow: cut.append(flow))
    late, early, over = asking(), asking(), asking()
    passages = [released(flow, house) for flow in (late, early, over)]
    for passage, flow, seconds in zip(passages, (late, early, over), (1, -5, 1), strict=True):
        passage.contacted_at = now - LONGEST - seconds
        house.contacted[passage.exchange.id] = flow
    passages[2].exchange.finished = True
    talks, passage = conversing(house)
    passage.contacted_at = now - 10 * LONGEST
    house.contacted[passage.exchange.id] = talks
    house.contacted["unknown"] = asking()
    end_late(None, house, now)
    assert cut == [late]
    assert [each.outcome for each in passages] == ["interrupted", "complete", "complete"]


def test_where_that_does_not_end_it_the_callers_connection_goes(monkeypatch, house):
    cut, flow = [], asking()
    for name in ("cut_upstream", "cut_flow"):
        monkeypatch.setattr(lockdown, name, lambda _master, _flow, name=name: cut.append(name))
    passage = released(flow, house)
    house.contacted[passage.exchange.id] = flow
    for late in (1, GRACE, GRACE + 1):
        end_late(None, house, passage.contacted_at + LONGEST + late)
    assert cut == ["cut_upstream", "cut_upstream", "cut_flow"]


def test_with_nothing_under_way_there_is_nothing_to_end():
    end_late(None, House(), 0.0)
    assert lasting.LONGEST == 3600
