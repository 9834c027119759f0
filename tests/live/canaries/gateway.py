"""A gateway that everybody looks at, one that can be broken as well, and a client that keeps all that comes back."""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx

from phigate.conformance import read
from processes import HOST, MITMDUMP, Gateway, free_port, settings
from tests.live.canaries.values import PARTS, found
from tests.live.test_broken import Breakable

PLACE = Path(__file__).parents[1]
MITMWEB = MITMDUMP.replace("mitmdump", "mitmweb")


class Watched(Gateway):
    """A gateway that everybody looks at: mitmweb with its API, `-w`, hardump, gRPC, webhooks, folders of its own."""

    def __init__(self, model, policy, folder, *, peer=None, program=(MITMWEB,)):
        self.folder, self.web, self.grpc = folder, free_port(), free_port()
        self.control = folder.parent / "turn"
        (folder / "tmp").mkdir(parents=True)
        extra = ["--no-web-open-browser", "-v", "-w", str(folder / "flows")]
        extra += settings(web_port=self.web, web_password="open-sesame", hardump=folder / "flows.har")
        extra += settings(body_size_limit="256k", phi_grpc=f"{HOST}:{self.grpc}")
        extra += settings(phi_grpc_upstream=peer.url) if peer else []
        prefix = ("env", f"TMPDIR={folder / 'tmp'}", f"HOME={folder / 'tmp'}", *program[:-1])
        super().__init__(model.url, policy, folder, extra=extra, program=program[-1], prefix=prefix)

    def shown(self):
        """All that mitmweb's API tells: list, bodies and views of both sides, event log, options, dump."""
        headers = {"authorization": "Bearer open-sesame"}
        with httpx.Client(base_url=f"http://{HOST}:{self.web}", headers=headers, trust_env=False, timeout=30) as api:
            flows = api.get("/flows").content
            said = [flows, api.get("/events").content, api.get("/options").content, api.get("/flows/dump").content]
            for flow in json.loads(flows)[::20]:
                for side in ("request", "response", "messages"):
                    said.append(api.get(f"/flows/{flow['id']}/{side}/content.data").content)
                    said.append(api.get(f"/flows/{flow['id']}/{side}/content/auto.json").content)
        return b"\n".join(said)


class Client:
    """Somebody in front of a gateway; everything that comes back is kept."""

    def __init__(self, gateway, model, bearers):
        self.gateway, self.model, self.bearers = gateway, model, bearers
        self.got = []
        """(what was asked, status, all that came back, the texts that can be put together from it)."""
        self._wire = httpx.Client(base_url=gateway.url, trust_env=False, timeout=20)

    def ask(self, what, method, path, *, who="dr.okafor", framing="json", **more):
        """One request; its status, 0 where the connection broke."""
        headers = {"authorization": f"Bearer {self.bearers[who]}"} if who else {}
        request = self._wire.build_request(method, path, headers=headers | more.pop("headers", {}), **more)
        status, fields, body = 0, {}, b""
        with contextlib.suppress(httpx.HTTPError), contextlib.closing(self._wire.send(request, stream=True)) as answer:
            status, fields = answer.status_code, {name.lower(): value for name, value in answer.headers.items()}
            for piece in answer.iter_bytes():
                body += piece
        texts = []
        with contextlib.suppress(read.Unreadable):
            texts = read.together(read.messages(framing, fields, body))
        self.keep(what, status, repr(sorted(fields.items())).encode() + b"\n" + body, texts)
        return status

    def close(self):
        self._wire.close()

    def keep(self, what, status, raw, texts=()):
        self.got.append((what, status, raw, "\n".join(texts).encode()))

    def leaks(self):
        told = [(what, sorted({*found(raw), *found(texts)})) for what, _, raw, texts in self.got]
        return [each for each in told if each[1]]


SAID = "said by an exception: " + " ".join(PARTS[0].split())
"""The text of the exceptions that it raises."""


class Faulty(Watched):
    """One in which any function and the journal's disk can be broken."""

    break_: Any = Breakable.break_

    def __init__(self, model, policy, folder):
        self.disk = folder.parent / "disk"
        self.disk.write_text("")
        super().__init__(model, policy, folder, program=(sys.executable, str(PLACE / "faulty_mitmweb.py")))
        self.control.write_text("")
        os.environ.update(PHIGATE_BREAK=str(self.control), PHIGATE_CANARY=SAID)
        os.environ.update(PHIGATE_FAULT=str(self.disk), PHIGATE_FAULTY=str(self.journal))
