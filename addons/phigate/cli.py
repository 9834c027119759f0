"""The `phigate` command: check a policy, explain a bearer, get another, mask text, read the journal."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import httpx
import typer
from rich.text import Text

from phigate import __version__, text
from phigate.audit.backtest import command as backtest_command
from phigate.audit.export import command as export_command
from phigate.audit.flows import command as flows_command
from phigate.audit.proof import prune_command, quarantine_command, verify_command
from phigate.audit.questions import disclosures_command, replay_command, sessions_command, show, who_saw_command
from phigate.audit.report import command as report_command
from phigate.audit.sealed import unseal_command
from phigate.conformance.command import conformance
from phigate.identity import grants
from phigate.identity.bearer import check as check_bearer
from phigate.identity.explain import Explained, explain
from phigate.identity.fetch import trusted
from phigate.identity.introspect import Introspector, opaque
from phigate.identity.keys import Keys
from phigate.identity.outcome import Believed, KeysNeeded, Refused, Unavailable
from phigate.identity.strict import Parts, read_bearer, read_object, to_base64url
from phigate.masking.operators import samples
from phigate.policy.advice import advice
from phigate.policy.cases import run_cases
from phigate.policy.load import PolicyFaults, read_file
from phigate.policy.notify import hints
from phigate.remote import commands as remote
from phigate.terminal import POLICY, PolicyFile, err, fail, out, policy_of, say
from phigate.webhooks import lacking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.identity.jwks import KeySet
    from phigate.policy.schema import Issuer, Policy

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback(invoke_without_command=True)
def main(*, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(f"phigate {__version__}", highlight=False)
        raise typer.Exit


@app.command()
def check(
    policy: Annotated[Path, typer.Argument(help="The policy file.")] = POLICY,
    cases: Annotated[
        list[Path] | None, typer.Option("--cases", help="Case files; default: `cases/*.yaml` beside the policy.")
    ] = None,
) -> None:
    """Check a policy and what it must answer; every fault as `file:line: path: fault`."""
    loaded = policy_of(policy)
    files = cases or sorted((policy.parent / "cases").glob("*.yaml"))
    run, failed = 0, 0
    for file in files:
        for result in _cases(loaded, file):
            run += 1
            if not result.ok:
                failed += 1
                say(str(result))
    for sentence in (*advice(loaded), *hints(loaded)):
        say(f"{policy}: warning: {sentence}")
    for sentence in lacking(loaded):
        say(f"{policy}: a gateway does not start here: {sentence}")
    say(f"{policy}: {len(loaded.rules)} rules, {run - failed} of {run} cases as expected")
    if loaded.detectors and not _samples_hold(policy.parent / loaded.detectors):
        failed += 1
    if failed:
        raise typer.Exit(1)


def _samples_hold(path: Path) -> bool:
    """Try the samples of the operator's own detectors, and tell."""
    try:
        tried, faults = samples(read_file(path), str(path))
    except PolicyFaults as refused:
        raise fail("\n".join(refused.faults)) from None
    for fault in faults:
        say(fault)
    say(f"{path}: {tried - len(faults)} of {tried} samples as expected")
    return not faults


def _cases(policy: Policy, file: Path) -> list[Any]:
    try:
        return list(run_cases(policy, file.read_bytes(), str(file)))
    except PolicyFaults as faults:
        raise fail("\n".join(faults.faults)) from None
    except OSError as error:
        raise fail(f"{file}: {(error.strerror or '').lower()}") from None


# -- bearers --------------------------------------------------------------------------------------------------------

MAX_CREDENTIAL: Final = 256 * 1024
"""Bytes; of an assertion, the longest thing there is."""
_STATES: Final = {"ok": "green", "refused": "bold red", "unsettled": "yellow"}


def _credential(name: str) -> str:
    """Read a credential from a file, or from standard input for `-`; what it holds is never told."""
    try:
        if name == "-":
            raw = sys.stdin.buffer.read(MAX_CREDENTIAL + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(MAX_CREDENTIAL + 1)
    except OSError as error:
        raise fail(f"{name}: {(error.strerror or 'cannot be read').lower()}", 2) from None
    text = raw.decode("utf-8", "replace").strip()
    if not text or len(raw) > MAX_CREDENTIAL:
        raise fail("no credential was given" if not text else "this is too long for a credential", 2)
    return text


@app.command()
def whoami(
    bearer: Annotated[
        str, typer.Argument(help="`-` reads it from standard input; an argument can be seen by others on this machine.")
    ] = "-",
    policy: PolicyFile = POLICY,
    *,
    claims: Annotated[bool, typer.Option("--claims", help="Print what the bearer says, too.")] = False,
) -> None:
    """Tell what the policy makes of a bearer, and why: each check in order, then its roles and the rules for them.

    Ends with 0 when the bearer is believed, 1 when it is refused, 2 when that cannot be told.
    """
    loaded, now = policy_of(policy, 2), time.time()
    said = _credential("-") if bearer == "-" else bearer.strip()
    outcome, keys = asyncio.run(_verdict(said, loaded, now))
    asked = _asked(loaded) if opaque(said) else None
    explained = explain(said, loaded, outcome, now, keys=keys, asked=asked)
    _tell(explained, names=claims)
    if claims:
        parts = read_bearer(said)
        found = outcome.claims if isinstance(outcome, Believed) else parts.claims if isinstance(parts, Parts) else {}
        say(_claims(found))
    raise typer.Exit({"ok": 0, "refused": 1}.get(explained.state, 2))


def _asked(policy: Policy) -> Issuer | None:
    """The issuer that is asked about bearers that are no JWT."""
    return next((rule for rule in policy.issuers if rule.introspect), None)


async def _verdict(bearer: str, policy: Policy, now: float) -> tuple[Believed | Refused | Unavailable, KeySet | None]:
    rule = _asked(policy)
    if rule is not None and opaque(bearer):
        introspector = Introspector(rule)
        answer = await introspector.ask(bearer, now)
        await introspector.close()
        return answer, None
    outcome = check_bearer(bearer, policy.issuers, {}, now)
    if not isinstance(outcome, KeysNeeded):
        return outcome, None
    keys = Keys([rule for rule in policy.issuers if rule.issuer == outcome.issuer], policy.folder)
    found = await keys.keyset(outcome.issuer, outcome.kid)
    (status,) = keys.status()
    await keys.close()
    if isinstance(found, Unavailable):
        say(f"{status.issuer}: {status.fault or 'it publishes no usable key'}", err)
        return found, None
    again = check_bearer(bearer, policy.issuers, {outcome.issuer: found}, now)
    return Refused("kid-unknown") if isinstance(again, KeysNeeded) else again, found


def _tell(explained: Explained, *, names: bool) -> None:
    """Print the steps, then what comes out; `names` are those of groups that the policy does not know."""
    for step in explained.steps:
        _row(step.state, step.name, step.said, _STATES.get(step.state, "dim"))
    for held in explained.roles:
        _row("", "role", f"{held.role}, by {', '.join(held.groups)}")
    if explained.idle:
        told = f": {', '.join(explained.idle)}" if names else ""
        _row("", "no role", f"by {len(explained.idle)} of {len(explained.groups)}{told}")
    for rule in explained.rules:
        _row("", "rule", f"{rule.name} ({rule.verb}): {', '.join(rule.to)}; models: {', '.join(rule.models) or '*'}")
    reason = next((step.reason for step in explained.steps if step.reason), None)
    ends = {"ok": "believed", "refused": f"refused: {reason}", "unsettled": "this cannot be told at the moment"}
    out.print(show.plain(ends[explained.state], _STATES[explained.state]))


def _row(state: str, name: str, said: str, style: str = "") -> None:
    row = Text.assemble(show.plain(f"{state:<18}", style), show.plain(f"{name:<11}", "bold"), show.plain(said))
    row.rstrip()
    out.print(row, soft_wrap=True)


def _claims(claims: Mapping[str, Any]) -> str:
    """JSON in ASCII: nothing in it moves a terminal's cursor."""
    return json.dumps(dict(claims), indent=2)


SECONDS: Final = 10.0
MAX_ANSWER: Final = 64 * 1024
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # RFC 6750 section 2.1
_ASSERTION: Final = next(name for name, kind in grants.SUBJECT_TYPES.items() if kind == "assertion")


@app.command()
def token(
    console: Annotated[str, typer.Option("--console", help="The gateway's console, https or on this machine.")],
    bearer_file: Annotated[str, typer.Option("--bearer-file", help="Your bearer; `-` is standard input.")] = "-",
    saml: Annotated[str | None, typer.Option("--saml", help="A signed SAML assertion instead (XML).")] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", help='What it may be used for: "model:NAME action:NAME".')
    ] = None,
    lifetime: Annotated[str | None, typer.Option("--lifetime", help="At most so long: PT5M, or seconds.")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="For one exchange only.")] = False,
    claims: Annotated[bool, typer.Option("--claims", help="Print what it says on standard error.")] = False,
) -> None:
    """Get a gateway token in exchange for your own bearer (RFC 8693): printed alone, so that it can be piped on."""
    if saml is not None and bearer_file != "-":
        raise fail("--bearer-file and --saml exclude each other", 2)
    if saml is None:
        credential, kind = _credential(bearer_file), grants.ACCESS_TOKEN
    else:
        credential, kind = to_base64url(_credential(saml).encode()), _ASSERTION
    form = {"grant_type": grants.EXCHANGE, "subject_token": credential, "subject_token_type": kind}
    wanted = {"scope": scope, "lifetime": lifetime, "uses": "1" if once else None}
    answer = _exchanged(console, form | {name: value for name, value in wanted.items() if value is not None})
    if claims:
        parts = read_bearer(answer)
        say(_claims(parts.claims if isinstance(parts, Parts) else {}), err)
    sys.stdout.write(answer + "\n")


def _exchanged(console: str, form: Mapping[str, str]) -> str:
    url = f"{console.rstrip('/')}/token"
    if not trusted(url) or "?" in url:
        raise fail("--console: not an https address (http on this machine only)", 2)
    try:
        status, raw = _post(url, form)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise fail(f"{console}: no answer ({type(error).__name__})") from None
    answer = read_object(raw)
    said = {} if isinstance(answer, Refused) else answer
    issued = said.get("access_token")
    if status == httpx.codes.OK and isinstance(issued, str) and _B64TOKEN.fullmatch(issued):
        return issued
    fault, told = (said.get(name) for name in ("error", "error_description"))
    if not isinstance(fault, str) or form["subject_token"] in f"{fault} {told}":
        raise fail(f"{console}: not the answer of a gateway's console (status {status})")
    raise fail(show.plain(f"{told} ({fault})" if isinstance(told, str) else fault).plain)


def _post(url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
    """Send a form; the answer is cut at MAX_ANSWER bytes, so that it is no JSON any more."""
    client = httpx.Client(trust_env=False, timeout=SECONDS, verify=ssl.create_default_context())
    asked = {"accept": "application/json", "accept-encoding": "identity"}
    with client, client.stream("POST", url, data=dict(form), headers=asked) as answer:
        raw = bytearray()
        for chunk in answer.iter_raw():
            raw += chunk
            if len(raw) > MAX_ANSWER:
                break
        return answer.status_code, bytes(raw[:MAX_ANSWER])


# -- text -----------------------------------------------------------------------------------------------------------

for command in (text.scan, text.mask, text.evaluate, conformance):
    app.command()(command)


# -- the journal ----------------------------------------------------------------------------------------------------

app.command(name="sessions")(sessions_command.list_sessions)
app.command(name="show")(sessions_command.show_exchange)
app.command(name="replay")(replay_command.replay_session)
app.command(name="who-saw")(who_saw_command.who_saw_it)
app.command(name="disclosures")(disclosures_command.account_of_disclosures)
app.command(name="report")(report_command.report)
app.command(name="export")(export_command.export)
app.command("quarantine")(quarantine_command.quarantine)
app.command("verify")(verify_command.verify)
app.command("prune")(prune_command.prune)
app.add_typer(prune_command.legal_hold, name="legal-hold")
app.command(name="seal-key")(unseal_command.seal_key)
app.command(name="unseal")(unseal_command.unseal_exchange)
app.command(name="backtest")(backtest_command.backtest)
app.command(name="flows")(flows_command.write_flows)

# -- a running gateway ----------------------------------------------------------------------------------------------

remote.add_to(app)


if __name__ == "__main__":
    app()
