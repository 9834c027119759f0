"""`scripts/run --once`: one exchange a person through a real gateway, shown side by side, and every promise checked."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

import patients
from issuer import SampleIssuer
from model_server import MODELS, ModelServer
from people import PEOPLE, QUESTION, Person, policy_for
from processes import ROOT, Gateway

if TYPE_CHECKING:
    from collections.abc import Iterable

CHAT: Final = "/v1/chat/completions"
KEPT: Final = ("seq", "kind", "exchange", "subject", "decision", "status", "outcome", "findings", "mask")
"""What is shown of a journal line."""


@dataclass(slots=True)
class Seen:
    """What one person got: whole, and streamed; `asked` is what reached the model of it."""

    person: Person
    status: int
    said: str
    streamed: str
    exchanges: tuple[str, ...]
    asked: str
    said_raw: str


@dataclass(slots=True)
class Checks:
    """Sentences and whether they are true."""

    found: list[tuple[str, bool]] = field(default_factory=list)

    def that(self, sentence: str, true: object) -> None:
        self.found.append((sentence, bool(true)))

    @property
    def off(self) -> list[str]:
        return [sentence for sentence, true in self.found if not true]


def body(*, stream: bool) -> dict[str, Any]:
    return {"model": MODELS[0], "messages": [{"role": "user", "content": QUESTION}], "stream": stream}


def said_in(answer: httpx.Response) -> str:
    """Return the text of an answer: a chat's, or a refusal's message."""
    tree = answer.json()
    if "error" in tree:
        return str(tree["error"]["message"])
    return str(tree["choices"][0]["message"]["content"])


def said_streamed(answer: httpx.Response) -> str:
    """Return the text of a stream put together again; empty for a refusal."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return ""
    datas = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    chunks = [json.loads(data) for data in datas if data != "[DONE]"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(delta.get("content") or "" for delta in deltas)


def ask(client: httpx.Client, person: Person, bearer: str, model: ModelServer) -> Seen:
    """Ask the question twice, whole and streamed."""
    model.requests.clear()
    headers = {"authorization": f"Bearer {bearer}"}
    whole = client.post(CHAT, json=body(stream=False), headers=headers)
    stream = client.post(CHAT, json=body(stream=True), headers=headers)
    asked = [request.json()["messages"][-1]["content"] for request in model.requests]
    return Seen(
        person,
        whole.status_code,
        said_in(whole),
        said_streamed(stream),
        (whole.headers.get("phi-exchange", ""), stream.headers.get("phi-exchange", "")),
        asked[0] if asked else "",
        said_in(httpx.post(model.url + CHAT, json=body(stream=False), trust_env=False)),
    )


def check_person(checks: Checks, seen: Seen) -> None:
    who = seen.person.login
    checks.that(f"{who} is answered {seen.person.status}", seen.status == seen.person.status)
    if seen.person.status != 200:
        checks.that(f"what {who} asked never reached the model", not seen.asked)
        return
    checks.that(f"{who} sees no identifier", seen.said and not patients.identifiers_in(seen.said))
    checks.that(f"{who} sees the same streamed", seen.streamed == seen.said)
    for sentence, pattern in seen.person.sees:
        checks.that(f"{who} sees {sentence}", pattern.search(seen.said))
    hidden = not patients.identifiers_in(seen.asked)
    checks.that(
        f"the model is asked {'about nobody' if seen.person.prompt_masked else 'as written'} by {who}",
        seen.asked and (hidden if seen.person.prompt_masked else seen.asked == QUESTION),
    )


def check_journal(checks: Checks, journal: Path, all_seen: Iterable[Seen]) -> list[dict[str, Any]]:
    """Check what was written down, and return it."""
    lines = [line for file in sorted(journal.glob("*.jsonl")) for line in file.read_bytes().splitlines(keepends=True)]
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    for seen in all_seen:
        for manner, exchange in zip(("whole", "streamed"), seen.exchanges, strict=True):
            kinds = {record["kind"] for record in records if record.get("exchange") == exchange}
            if seen.person.status == 200:
                both = {"request", "response"} <= kinds
                checks.that(f"{seen.person.login}'s exchange ({manner}) is recorded, both sides", both)
            else:
                alone = "request" in kinds and "response" not in kinds
                checks.that(f"{seen.person.login}'s refused request ({manner}) is recorded", alone)
    hashes = [hashlib.sha256(line).hexdigest() for line in lines]
    links = [record["prev"] for record in records[1:]]
    checks.that("each record names the one before by its hash", records and links == hashes[:-1])
    checks.that("the journal holds no identifier", not patients.identifiers_in(b"".join(lines).decode()))
    return records


def check_policy(checks: Checks) -> None:
    """Ask the policy's own cases."""
    command = [sys.executable, "-c", "from phigate.cli import app; app()", "check"]
    done = subprocess.run(command, cwd=ROOT / "addons", capture_output=True, text=True, check=False)
    checks.that("the policy answers its cases as they say (phigate check)", done.returncode == 0)


def coloured(text: str) -> Text:
    """Return the text with every identifier marked."""
    shown = Text(text)
    shown.highlight_words(patients.IDENTIFIERS, style="bold red")
    return shown


def show(out: Console, all_seen: Iterable[Seen]) -> None:
    """Print both sides of each exchange, the identifiers marked."""
    for seen in all_seen:
        table = Table(title=f"{seen.person.login}, {seen.person.role}", title_justify="left", expand=True)
        table.add_column("")
        table.add_column("before the gateway", ratio=1, overflow="fold")
        table.add_column("after it", ratio=1, overflow="fold")
        table.add_row("question", coloured(QUESTION), coloured(seen.asked or "(never reached the model)"))
        table.add_section()
        if seen.status == 200:
            table.add_row("answer", coloured(seen.said_raw), coloured(seen.said))
        else:
            table.add_row("answer", "(none)", f"{seen.status}: {seen.said}")
        out.print(table, "")


def shortened(record: dict[str, Any]) -> str:
    """Return what a journal line is about, without its body; ids are cut."""
    kept = {name: record[name] for name in KEPT if record.get(name) not in (None, {})}
    if subject := record.get("subject"):
        kept["subject"] = subject["id"]
    if decision := record.get("decision"):
        kept["decision"] = f"{decision['verb']} {decision.get('rule') or decision.get('reason')}"
    if "exchange" in kept:
        kept["exchange"] = kept["exchange"][:9]
    return json.dumps({**kept, "body": "..."} if record.get("body") else kept)


def show_journal(out: Console, records: Iterable[dict[str, Any]]) -> None:
    """Print the records, those of a stream's parts as one line."""
    out.print("[bold]journal, one record a line, shortened[/bold]")
    for kind, group in itertools.groupby(records, key=lambda record: record["kind"]):
        run = list(group)
        if kind == "part":
            out.print(f"  {len(run)} parts of a stream, seq {run[0]['seq']} to {run[-1]['seq']}")
            continue
        for record in run:
            out.print(f"  {shortened(record)}", markup=False, soft_wrap=True)


def run() -> int:
    """Do it all on free ports and in a temporary folder; returns the exit code."""
    out, checks = Console(highlight=False), Checks()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phigate-once-")))
        issuer, model = stack.enter_context(SampleIssuer()), stack.enter_context(ModelServer())
        gateway = stack.enter_context(Gateway(model.url, policy_for(issuer.url, folder), folder / "var"))
        client = stack.enter_context(httpx.Client(base_url=gateway.url, trust_env=False, timeout=30))
        checks.that("without a bearer the answer is 401", client.post(CHAT, json=body(stream=False)).status_code == 401)
        bearers = [issuer.mint_for(person.login) for person in PEOPLE]
        all_seen = [ask(client, person, bearer, model) for person, bearer in zip(PEOPLE, bearers, strict=True)]
        checks.that("no bearer reached the model", not any(b.encode() in model.received for b in bearers))
        gateway.stop()
        checks.that("the gateway said nothing about anybody", not patients.identifiers_in(gateway.said()))
        for seen in all_seen:
            check_person(checks, seen)
        records = check_journal(checks, gateway.journal, all_seen)
    check_policy(checks)
    show(out, all_seen)
    show_journal(out, records)
    out.print("\n[bold]checks[/bold]")
    for sentence, true in checks.found:
        out.print(f"{'[green]yes[/green]' if true else '[bold red]NO [/bold red]'} {sentence}")
    out.print(f"{len(checks.found) - len(checks.off)} passed, {len(checks.off)} failed")
    return 1 if checks.off else 0
