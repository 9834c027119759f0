"""A model that speaks on a WebSocket, what it says, and a caller of it: real server, real client."""

import contextlib
import json
import logging
import os
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

from processes import HOST
from tests.traffic import CANARY_TEXT

ROUTE = "/v1/realtime?model=ward-assistant"


class Model:
    """A model that speaks on a WebSocket, on a port of its own; `script` answers a message with what is to be sent."""

    def __init__(self):
        self._server = serve(self._talk, HOST, 0, max_size=8 << 20, logger=logging.getLogger("quiet"))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.port = self._server.socket.getsockname()[1]
        self.forget()

    def forget(self):
        self.script, self.first = (lambda _event: []), [{"type": "session.created", "event_id": "e", "session": {}}]
        self.seen, self.heads, self.closed = [], [], {}

    def _talk(self, wire):
        self.heads.append(dict(wire.request.headers.raw_items()) | {":path": wire.request.path})
        try:
            self._say(wire, self.first)
            for message in wire:
                self.seen.append(json.loads(message))
                self._say(wire, self.script(self.seen[-1]))
        except ConnectionClosed:
            pass
        finally:
            self.closed[wire.request.headers["x-request-id"]] = wire.close_code, wire.close_reason

    @staticmethod
    def _say(wire, said):
        for each in said:
            if callable(each):
                each(wire)
            else:
                wire.send(each if isinstance(each, str | bytes) else json.dumps(each))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()


@contextlib.contextmanager
def opened(gate, bearer, path=ROUTE, **more):
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    url = f"ws://{HOST}:{gate.port}{path}"
    with connect(url, additional_headers=headers, proxy=None, max_size=None, **more) as wire:
        yield wire


PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


def event(kind, **members):
    return {"type": kind, "event_id": f"event_{os.urandom(6).hex()}", **members}


def spoken(text=CANARY_TEXT, step=3, kind="response.output_text", told="text"):
    """An answer in pieces of some characters, as a server tells it: pieces, the whole, and the whole again."""
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    item = {"id": "item_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    return [
        event("response.created", response={"id": "resp_1", "object": "realtime.response", "status": "in_progress"}),
        *(event(f"{kind}.delta", **PLACE, delta=piece) for piece in pieces),
        event(f"{kind}.done", **PLACE, **{told: text}),
        event("response.content_part.done", **PLACE, part={"type": "text", "text": text}),
        event("response.output_item.done", response_id="resp_1", output_index=0, item=item),
        event(
            "response.done",
            response={
                "id": "resp_1",
                "status": "completed",
                "output": [item],
                "usage": {"input_tokens": 7, "output_tokens": 9},
            },
        ),
    ]


def ask(text="How is the patient?"):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "item": item}


def until(wire, kind, seconds=5):
    """The events up to one of a kind."""
    got = []
    while not got or got[-1]["type"] != kind:
        got.append(json.loads(wire.recv(timeout=seconds)))
    return got


def rest(wire, seconds=5):
    """Everything that still comes, and how it ended: (messages, code, reason)."""
    got = []
    try:
        while True:
            got.append(wire.recv(timeout=seconds))
    except ConnectionClosed as closed:
        end = closed.rcvd
        return got, end.code if end else 1006, end.reason if end else ""
