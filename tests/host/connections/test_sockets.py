"""The layer between two WebSockets, event by event: nothing goes out but what was handed over."""

import pytest
from mitmproxy.connection import ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers import websocket as theirs
from mitmproxy.test import tflow
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from phigate import flows
from phigate.host.connections import sockets
from phigate.host.connections.sockets import MOST, MOST_WAITING, Allowance, Closing, Socket, install


class Between:
    """A layer, what speaks through it, and what came out on either side; `hook` is run for each of its hooks."""

    def __init__(self, hook=lambda _flow: flows.Going()):
        self.flow = tflow.twebsocketflow()
        self.flow.websocket.messages = []
        flows.enter(self.flow)
        self.hook = hook
        self.hooked = self.met
        self.hooks, self.closed, self.wakeups = [], [], []
        made = context.Context(self.flow.client_conn, Options())
        made.server = self.flow.server_conn
        for each in (made.client, made.server):
            each.state = ConnectionState.OPEN
        self.socket = Socket(made, self.flow)
        self.caller, self.model = Connection(ConnectionType.CLIENT), Connection(ConnectionType.SERVER)
        self.give(events.Start())

    def give(self, event):
        todo = [event]
        while todo:
            for command in self.socket.handle_event(todo.pop(0)):
                if isinstance(command, commands.SendData):
                    side = self.caller if command.connection is self.flow.client_conn else self.model
                    side.receive_data(command.data)
                elif isinstance(command, commands.CloseConnection):
                    self.closed.append("caller" if command.connection is self.flow.client_conn else "model")
                elif isinstance(command, commands.RequestWakeup):
                    self.wakeups.append(command)
                elif isinstance(command, commands.StartHook):
                    self.hooks.append(command)
                    todo += self.hooked(command)

    def met(self, command):
        if isinstance(command, theirs.WebsocketMessageHook):
            flows.hand_over(self.flow, self.hook(self.flow))
        return [events.HookCompleted(command)]

    def say(self, *given, by="caller"):
        ends, connection = self.end(by)
        for event in given:
            data = event if isinstance(event, bytes) else ends.send(event)
            self.give(events.DataReceived(connection, data))

    def end(self, who):
        return (self.caller, self.flow.client_conn) if who == "caller" else (self.model, self.flow.server_conn)

    def heard(self, who):
        return list(self.end(who)[0].events())

    @property
    def seen(self):
        return [type(command).__name__ for command in self.hooks]


def text_of(heard):
    return [event.data for event in heard if isinstance(event, TextMessage)]


def close_of(heard):
    (close,) = [event for event in heard if isinstance(event, CloseConnection)]
    return int(close.code), close.reason or ""


def last(flow):
    return flow.websocket.messages[-1]


def test_what_is_handed_over_goes_out_and_nothing_else():
    between = Between(lambda _flow: flows.Going((b"one", b"two"), (b"back",)))
    between.say(TextMessage(data="raw"))
    assert text_of(between.heard("model")) == ["one", "two"]
    assert text_of(between.heard("caller")) == ["back"]
    assert between.seen == ["WebsocketStartHook", "WebsocketMessageHook"]


def test_the_hook_sees_the_message_dropped_and_nobody_keeps_it():
    seen = []

    def look(flow):
        seen.append((last(flow).content, last(flow).dropped))
        return flows.Going()

    between = Between(look)
    between.say(TextMessage(data="one", message_finished=False), TextMessage(data=" two"))
    between.say(BytesMessage(data=b"three"), by="model")
    assert seen == [(b"one two", True), (b"three", True)]
    assert [each.content for each in between.flow.websocket.messages] == [b""]


@pytest.mark.parametrize("by", ["caller", "model"])
def test_where_nothing_is_handed_over_the_connection_ends(by):
    between = Between(lambda _flow: None)
    between.say(TextMessage(data="raw"), TextMessage(data="more"), by=by)
    assert between.seen == ["WebsocketStartHook", "WebsocketMessageHook", "WebsocketEndHook"]
    heard = between.heard("model"), between.heard("caller")
    assert [text_of(each) for each in heard] == [[], []]
    assert [close_of(each) for each in heard] == [(1001, ""), (1011, "")]


def test_what_was_handed_over_for_one_message_does_not_serve_another():
    given = [flows.Going((b"one",)), None]
    between = Between(lambda _flow: given.pop(0))
    between.say(TextMessage(data="a"), TextMessage(data="b"))
    assert text_of(between.heard("model")) == ["one"]
    assert between.seen[-1] == "WebsocketEndHook"


def test_a_message_may_be_the_last():
    between = Between(lambda _flow: flows.Going(caller=(b"why",), code=1008, reason="denied"))
    between.say(TextMessage(data="a"))
    heard = between.heard("caller")
    assert text_of(heard) == ["why"]
    assert close_of(heard) == (1008, "denied")
    assert close_of(between.heard("model")) == (1001, "")


def test_the_record_comes_before_the_close():
    between = Between()
    said = []

    def look(command):
        said.append(list(between.caller.events()))
        return [events.HookCompleted(command)]

    between.hooked = look
    between.give(Closing(between.flow, 1001))
    assert said == [[]]
    assert close_of(between.heard("caller")) == close_of(between.heard("model")) == (1001, "")


def test_a_side_that_is_told_to_close_gets_a_moment_to_answer():
    between = Between()
    between.give(Closing(between.flow, 1001))
    between.heard("caller")
    assert between.closed == []
    between.say(CloseConnection(code=1001))
    assert between.closed == ["caller"]
    (wakeup,) = between.wakeups
    between.give(events.Wakeup(wakeup))
    assert between.closed == ["caller", "model"]


def test_pings_are_answered_here():
    between = Between()
    between.say(Ping(payload=b"Quartermaine"), by="model")
    assert [event.payload for event in between.heard("model") if isinstance(event, Pong)] == [b"Quartermaine"]
    between.say(Pong(payload=b"Quartermaine"), by="model")
    assert between.heard("caller") == []
    assert between.seen == ["WebsocketStartHook"]


@pytest.mark.parametrize(("code", "passed"), [(1000, 1000), (1011, 1011), (4321, 4321), (1010, 1000)])
def test_of_a_close_the_code_goes_on(code, passed):
    between = Between()
    between.say(CloseConnection(code=code, reason="Quartermaine"), by="model")
    assert close_of(between.heard("caller")) == (passed, "")
    assert between.flow.websocket.closed_by_client is False
    assert between.flow.websocket.close_code == code
    assert between.flow.websocket.close_reason is None


def test_one_who_is_gone_ends_it():
    between = Between()
    between.give(events.ConnectionClosed(between.flow.server_conn))
    assert close_of(between.heard("caller")) == (1011, "")
    assert between.flow.websocket.close_code == 1006
    assert "model" in between.closed


def test_both_that_are_gone_leave_nothing_to_wait_for():
    between = Between()
    between.give(events.ConnectionClosed(between.flow.client_conn))
    between.give(events.ConnectionClosed(between.flow.server_conn))
    assert sorted(between.closed) == ["caller", "model"]


@pytest.mark.parametrize("by", ["caller", "model"])
def test_a_message_is_bounded_before_it_is_whole(by):
    between = Between()
    part = TextMessage(data="x" * (MOST // 2), message_finished=False)
    between.say(part, part, by=by)
    assert "WebsocketEndHook" not in between.seen
    between.say(TextMessage(data="x"), by=by)
    assert between.seen == ["WebsocketStartHook", "WebsocketEndHook"]
    assert close_of(between.heard(by)) == (1009, "")


def test_the_pieces_of_a_message_are_bounded():
    between = Between()
    piece = between.caller.send(TextMessage(data="", message_finished=False))
    follow = between.caller.send(TextMessage(data="", message_finished=False))
    between.say(piece, follow * (sockets.MOST_PIECES + 1))
    assert close_of(between.heard("caller")) == (1009, "")


def test_too_many_messages_end_it(monkeypatch):
    monkeypatch.setattr(sockets.time, "monotonic", lambda: 1.0)
    between = Between()
    between.say(*[TextMessage(data="x")] * 1001)
    assert len(between.hooks) == 1 + 1000 + 1
    assert close_of(between.heard("caller")) == (1008, "")


def test_an_allowance_comes_back_with_time():
    allowed = Allowance(10, 2, 0.0)
    assert [allowed.take(0.0) for _ in range(3)] == [True, True, False]
    assert not allowed.take(0.05)
    assert allowed.take(1.0)


def test_what_waits_while_a_message_is_looked_at_is_bounded():
    between = Between()
    waiting = []

    def wait(command):
        waiting.append(command)
        return []

    between.hooked = wait
    between.say(TextMessage(data="x"))
    assert len(waiting) == 1
    between.say(b"\0" * (MOST_WAITING + 1))
    between.hooked = between.met
    flows.hand_over(between.flow, flows.Going())
    between.give(events.HookCompleted(waiting[0]))
    assert between.seen[-1] == "WebsocketEndHook"
    assert "caller" in between.closed


@pytest.mark.parametrize("data", [b"\x09\x80\1\2\3\4", b"\x81\x02{}", b"\x83\x80\1\2\3\4", b"\xc1\x80\1\2\3\4"])
def test_bytes_that_are_no_frames_end_it(data):
    between = Between()
    between.say(data)
    assert close_of(between.heard("caller")) == (1002, "")
    assert close_of(between.heard("model")) == (1001, "")


def test_nobody_injects_messages():
    between = Between()
    message = tflow.twebsocketflow().websocket.messages[0]
    between.give(theirs.WebSocketMessageInjected(between.flow, message))
    assert between.heard("model") == between.heard("caller") == []
    assert between.seen == ["WebsocketStartHook"]


def test_it_takes_the_place_of_mitmproxys_own(seams):
    install()
    assert theirs.WebsocketLayer.__name__ == "Socket"
    assert issubclass(Socket, layer.Layer)


def test_it_says_so_where_there_is_no_such_place(seams, monkeypatch):
    monkeypatch.setattr(sockets.http_layer, "websocket", None)
    with pytest.raises(RuntimeError):
        install()


async def test_a_connection_that_nobody_has_cannot_be_closed(context):
    sockets.close(context.master, tflow.twebsocketflow(), 1001)  # says nothing, does nothing
