"""`scripts/run`: the gateway with a sample issuer and a sample model server, or in front of a server of your own."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

import once
import ward
from issuer import SampleIssuer
from model_server import MODELS, ModelServer
from patients import ASHDOWN
from people import APPROVER, DEFAULT_ISSUER, OPERATORS, PEOPLE, QUESTION, policy_for
from processes import ROOT, Gateway, NotReady, free

if TYPE_CHECKING:
    from collections.abc import Sequence

VAR: Final = ROOT / "var"
POLICY: Final = ROOT / "rules" / "policy.yaml"
AUDITOR: Final = VAR / "auditor.pem"
PHIGATE: Final = Path(sys.executable).with_name("phigate")
GATEWAY_PORT: Final = 8080
MODEL_PORT: Final = 8000
CONSOLE_PORT: Final = 8090
PIECE: Final = 0.03
"""Seconds between two pieces of the sample model's streams: about as fast as one reads."""


def usual(port: int) -> int | None:
    """Return the port when it is free; None asks for any."""
    return port if free(port) else None


def instructions(gateway: Gateway, issuer: SampleIssuer) -> str:
    """Return what to paste, and what will be seen."""
    base = f"{gateway.url}/v1"
    lines = [
        "Phigate is ready. Stop it with Ctrl-C.",
        "",
        f"  gateway  {base}",
        f"  console  {gateway.console_url}/desk   # what waits for somebody's yes",
        f"           {gateway.console_url}/metrics",
        f"  journal  {gateway.journal}",
        f"           {PHIGATE} sessions",
        f"           {PHIGATE} show EXCHANGE   # the id in the header phi-exchange",
        f"           {PHIGATE} replay SESSION",
        f"           {PHIGATE} who-saw 'MRN {ASHDOWN.mrn}'",
        f"           {PHIGATE} report -o report.html",
        f"           {PHIGATE} verify {gateway.journal} --key {gateway.checkpoint_key}",
        "",
    ]
    body = f'{{"model": "{MODELS[0]}", "messages": [{{"role": "user", "content": "{QUESTION}"}}]}}'
    for person in PEOPLE:
        lines += [
            f"# {person.login}, {person.role}: {person.summary}",
            f"export BEARER=$(curl -s '{issuer.url}/mint?person={person.login}')",
            f'curl -sSi {base}/chat/completions -H "Authorization: Bearer $BEARER" \\',
            f"  -H 'Content-Type: application/json' -w '\\n' -d '{body}'",
            "",
        ]
    lines += [
        "# Somebody says yes first: this asks to see what is hidden, and is held.",
        f"export BEARER=$(curl -s '{issuer.url}/mint?person={PEOPLE[0].login}')",
        f"curl -sSi {base}/chat/completions -H \"Authorization: Bearer $BEARER\" -H 'phi-unmask: ward round' \\",
        f"  -H 'Content-Type: application/json' -w '\\n' -d '{body}'",
        f"# Sign in at {gateway.console_url}/desk as {APPROVER}, a privacy officer, say yes, and paste it again.",
        "",
        f"# {PEOPLE[2].login} deploys a model: {' and '.join(OPERATORS)} say yes at {gateway.console_url}/desk.",
        f"""echo '{{"model": "{MODELS[0]}", "from": "{MODELS[0]}", "system": "Be brief."}}' > model.json""",
        f"PHIGATE_TOKEN=$(curl -s '{issuer.url}/mint?person={PEOPLE[2].login}') \\",
        f"  PHIGATE_CONSOLE={gateway.console_url} PHIGATE_URL={gateway.url} {PHIGATE} deploy --model {MODELS[0]} \\",
        "  --version 2.1.0 --digest $(openssl dgst -sha256 -r model.json | cut -c 1-64) \\",
        "  --call 'POST /api/create' --body model.json",
        "",
        "The same from the openai client (pip install openai), streamed, as whoever the BEARER is now:",
        "",
        "import os, openai",
        f'client = openai.OpenAI(base_url="{base}", api_key=os.environ["BEARER"])  # nothing else changes',
        f'question = [{{"role": "user", "content": "{QUESTION}"}}]',
        f'for chunk in client.chat.completions.create(model="{MODELS[0]}", messages=question, stream=True):',
        '    print(chunk.choices[0].delta.content or "", end="", flush=True)',
        "print()",
        "",
    ]
    return "\n".join(lines)


def sample(given: Path | None, port: int | None, extra: Sequence[str]) -> int:
    """Run everything until it is stopped, or a part of it ends."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phigate-run-")))
        wanted = urlsplit(DEFAULT_ISSUER).port or 0
        issuer = stack.enter_context(SampleIssuer(port=usual(wanted) or 0))
        model = stack.enter_context(ModelServer(port=usual(MODEL_PORT) or 0, delay=PIECE))
        policy = given or (POLICY if issuer.url == DEFAULT_ISSUER else policy_for(issuer.url, folder))
        if given and issuer.url != DEFAULT_ISSUER:
            print(f"phigate: {DEFAULT_ISSUER} is taken: the sample issuer is {issuer.url}", file=sys.stderr)
        port, console = port or usual(GATEWAY_PORT), usual(CONSOLE_PORT)
        if not list((VAR / "journal").glob("sample-*")):
            print("phigate: a sample ward asks some questions first, so that there is a journal to look at", flush=True)
            ward.leave_a_journal(issuer, model, VAR, AUDITOR)
        gateway = stack.enter_context(Gateway(model.url, policy, VAR, port=port, console=console, extra=extra))
        print(instructions(gateway, issuer), flush=True)
        while gateway.code is None:
            threading.Event().wait(0.2)
        print(f"phigate: the gateway ended with code {gateway.code}: {gateway.said()[-2000:].strip()}", file=sys.stderr)
    return 1


def in_front_of(model_url: str, policy: Path, port: int | None, extra: Sequence[str]) -> NoReturn:
    """Become the gateway in front of that server; what it says goes to the terminal."""
    url = urlsplit(model_url)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path not in {"", "/"}:
        raise SystemExit(f"phigate: --model `{model_url}` is not http(s)://HOST[:PORT]")
    gateway = Gateway(
        model_url, policy.absolute(), VAR, port=port or GATEWAY_PORT, console=CONSOLE_PORT, instance=None, extra=extra
    )
    print(f"phigate: starting {gateway.url}/v1 in front of {model_url}; Ctrl-C stops it", flush=True)
    print(f"phigate: journal in {gateway.journal}, readiness at {gateway.console_url}/readyz", flush=True)
    os.execv(gateway.command[0], gateway.command)


SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop(number: int, _: object) -> NoReturn:
    """Leave through every `with`, which ends what was started; asking twice does not hurry it."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main() -> int:
    arguments = sys.argv[1:]
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options = argparse.ArgumentParser(prog="scripts/run", description=__doc__)
    options.add_argument("--once", action="store_true", help="one exchange a person, everything checked, and out again")
    options.add_argument("--model", metavar="URL", help="a model server of your own, http(s)://HOST[:PORT]")
    options.add_argument("--policy", metavar="FILE", type=Path, help="your policy instead of rules/policy.yaml")
    options.add_argument("--port", type=int, help=f"the gateway's port, {GATEWAY_PORT} unless taken")
    options.usage = "scripts/run [--once | [--model URL] [--policy FILE] [--port N]] [-- MITMPROXY OPTIONS]"
    chosen: Any = options.parse_args(arguments[:at])
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        if chosen.once and (chosen.policy or chosen.model):
            options.error("--once is for the sample server and the default policy")
        if chosen.once:
            return once.run()
        if chosen.model:
            in_front_of(chosen.model, chosen.policy or POLICY, chosen.port, arguments[at + 1 :])
        policy = chosen.policy.absolute() if chosen.policy else None
        return sample(policy, chosen.port, arguments[at + 1 :])
    except NotReady as fault:
        print(f"phigate: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
