"""The `phigate` command: check a policy, explain a bearer, get another, mask text, read the journal."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import httpx
import orjson
import typer
from rich.console import Console
from rich.text import Text

from phigate import __version__, evaluation, filters
from phigate.capture import read, sessions, show
from phigate.filters import FORMATS, SHAPES, TEXT, UNITS, WHOLE, Order, Shape, each_line
from phigate.house import ROOT, StartFault, read_secrets
from phigate.identity import grants
from phigate.identity.bearer import check as check_bearer
from phigate.identity.explain import Explained, explain
from phigate.identity.fetch import trusted
from phigate.identity.introspect import Introspector, opaque
from phigate.identity.keys import Keys
from phigate.identity.outcome import Believed, KeysNeeded, Refused, Unavailable
from phigate.identity.strict import Parts, read_bearer, read_object, to_base64url
from phigate.masking import NOTHING, RosterFault, Transformer, default_detectors, load_detectors, load_roster
from phigate.masking.evaluate import WORST, Setting
from phigate.masking.labels import GROUPS, IGNORED, plain_label
from phigate.masking.operators import samples
from phigate.masking.variants import CASES, VARIANTS
from phigate.policy.cases import run_cases
from phigate.policy.load import PolicyFaults, load_policy, read_file
from phigate.policy.schema import REVEAL
from phigate.policy.words import BIASES
from phigate.streams import Input, StreamFault, leaving_quietly, progress, some
from phigate.streams import output as writing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from phigate.filters import Told, Unit
    from phigate.identity.jwks import KeySet
    from phigate.masking import Detectors
    from phigate.policy.schema import Issuer, Mask, Policy
    from phigate.streams import Line

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out = Console()
err = Console(stderr=True)

PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy file.")]
JournalFolder = Annotated[Path, typer.Option("--journal", help="The folder of the journal.")]
RosterFile = Annotated[
    Path | None, typer.Option("--roster", help="Names and numbers to find exactly (CSV, JSON lines, plain lines).")
]

POLICY = ROOT / "rules" / "policy.yaml"
JOURNAL = ROOT / "var" / "journal"


def _say(text: str, where: Console = out) -> None:
    """Print as it stands: a path or a fault may hold what would count as markup, or be longer than a line."""
    where.print(text, markup=False, highlight=False, soft_wrap=True)


def _fail(text: str, code: int = 1) -> typer.Exit:
    _say(text, err)
    return typer.Exit(code)


def _policy(path: Path, code: int = 1) -> Policy:
    try:
        return load_policy(path)
    except PolicyFaults as faults:
        raise _fail("\n".join(faults.faults), code) from None


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
    loaded = _policy(policy)
    files = cases or sorted((policy.parent / "cases").glob("*.yaml"))
    run, failed = 0, 0
    for file in files:
        for result in _cases(loaded, file):
            run += 1
            if not result.ok:
                failed += 1
                _say(str(result))
    _say(f"{policy}: {len(loaded.rules)} rules, {run - failed} of {run} cases as expected")
    if loaded.detectors and not _samples_hold(policy.parent / loaded.detectors):
        failed += 1
    if failed:
        raise typer.Exit(1)


def _samples_hold(path: Path) -> bool:
    """Try the samples of the operator's own detectors, and tell."""
    try:
        tried, faults = samples(read_file(path), str(path))
    except PolicyFaults as refused:
        raise _fail("\n".join(refused.faults)) from None
    for fault in faults:
        _say(fault)
    _say(f"{path}: {tried - len(faults)} of {tried} samples as expected")
    return not faults


def _cases(policy: Policy, file: Path) -> list[Any]:
    try:
        return list(run_cases(policy, file.read_bytes(), str(file)))
    except PolicyFaults as faults:
        raise _fail("\n".join(faults.faults)) from None
    except OSError as error:
        raise _fail(f"{file}: {(error.strerror or '').lower()}") from None


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
        raise _fail(f"{name}: {(error.strerror or 'cannot be read').lower()}", 2) from None
    text = raw.decode("utf-8", "replace").strip()
    if not text or len(raw) > MAX_CREDENTIAL:
        raise _fail("no credential was given" if not text else "this is too long for a credential", 2)
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
    loaded, now = _policy(policy, 2), time.time()
    said = _credential("-") if bearer == "-" else bearer.strip()
    outcome, keys = asyncio.run(_verdict(said, loaded, now))
    asked = _asked(loaded) if opaque(said) else None
    explained = explain(said, loaded, outcome, now, keys=keys, asked=asked)
    _tell(explained, names=claims)
    if claims:
        parts = read_bearer(said)
        found = outcome.claims if isinstance(outcome, Believed) else parts.claims if isinstance(parts, Parts) else {}
        _say(_claims(found))
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
        _say(f"{status.issuer}: {status.fault or 'it publishes no usable key'}", err)
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
        raise _fail("--bearer-file and --saml exclude each other", 2)
    if saml is None:
        credential, kind = _credential(bearer_file), grants.ACCESS_TOKEN
    else:
        credential, kind = to_base64url(_credential(saml).encode()), _ASSERTION
    form = {"grant_type": grants.EXCHANGE, "subject_token": credential, "subject_token_type": kind}
    wanted = {"scope": scope, "lifetime": lifetime, "uses": "1" if once else None}
    answer = _exchanged(console, form | {name: value for name, value in wanted.items() if value is not None})
    if claims:
        parts = read_bearer(answer)
        _say(_claims(parts.claims if isinstance(parts, Parts) else {}), err)
    sys.stdout.write(answer + "\n")


def _exchanged(console: str, form: Mapping[str, str]) -> str:
    url = f"{console.rstrip('/')}/token"
    if not trusted(url) or "?" in url:
        raise _fail("--console: not an https address (http on this machine only)", 2)
    try:
        status, raw = _post(url, form)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise _fail(f"{console}: no answer ({type(error).__name__})") from None
    answer = read_object(raw)
    said = {} if isinstance(answer, Refused) else answer
    issued = said.get("access_token")
    if status == httpx.codes.OK and isinstance(issued, str) and _B64TOKEN.fullmatch(issued):
        return issued
    fault, told = (said.get(name) for name in ("error", "error_description"))
    if not isinstance(fault, str) or form["subject_token"] in f"{fault} {told}":
        raise _fail(f"{console}: not the answer of a gateway's console (status {status})")
    raise _fail(show.plain(f"{told} ({fault})" if isinstance(told, str) else fault).plain)


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

Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes that share the work; the order stays.")]
DetectorsFile = Annotated[Path | None, typer.Option("--detectors", help="Your own detectors, deny and allow lists.")]
Files = Annotated[list[str] | None, typer.Argument(help="Files, one after the other; `-` is standard input.")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", help="Of JSON lines: a path such as `text` or `messages.*.content`; `*` is every string."),
]
UnitOf = Annotated[
    str | None, typer.Option("--unit", help=f"Of plain text: {WHOLE}, {', '.join(UNITS)}: what is a text of its own.")
]
OutFile = Annotated[Path | None, typer.Option("-o", "--output", help="Write here, when all went well.")]
ShowText = Annotated[bool, typer.Option("--show-text", help="Show the text of what is found.")]


@contextmanager
def _streams() -> Iterator[None]:
    """What can happen to files and processes, told in a line."""
    try:
        with leaving_quietly():
            yield
    except StreamFault as fault:
        raise _fail(str(fault)) from None
    except BrokenProcessPool:
        raise _fail("a worker process ended before its work was done") from None


def _detectors(roster: Path | None, own: Path | None = None) -> Detectors:
    try:
        return default_detectors(load_roster(roster) if roster else None, load_detectors(own) if own else NOTHING)
    except RosterFault as fault:
        raise _fail(str(fault)) from None
    except PolicyFaults as faults:
        raise _fail("\n".join(faults.faults)) from None


@app.command()
def scan(
    files: Files = None,
    *,
    kind: Annotated[str, typer.Option("--format", help=f"What the input is: {', '.join(FORMATS)}.")] = "jsonl",
    fields: Fields = None,
    unit: UnitOf = None,
    roster: RosterFile = None,
    detectors: DetectorsFile = None,
    bias: Annotated[str, typer.Option(help=f"What score counts: {', '.join(BIASES)}.")] = "recall",
    workers: Workers = 1,
    output: OutFile = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell what every detector said, and what became of it.")
    ] = False,
    show_text: ShowText = False,
) -> None:
    """Find identifiers: JSON lines `{"id","text"}` in, `{"id","findings":[{"start","end","entity","score"}]}` out.

    Of plain text (`--format text`) each finding is a line of its own; of documents (FHIR, HL7, CSV and so on) each
    value is told once, without its place. Offsets count characters. What cannot be read is
    told on standard error by its line; the rest goes on.
    """
    shape, cut = _format(kind, unit or ("paragraph" if explain and kind == TEXT else None), fields, workers)
    order = Order(
        shape,
        tuple(fields or ("text",)),
        BIASES[_one_of(bias, BIASES, "--bias")],
        explain=explain,
        show=show_text,
        named=bool(fields),
        lines=kind == TEXT,
    )
    build = partial(_detectors, roster, detectors)
    with _streams(), progress(err, "scanning", apart=output is not None) as bar, writing(output) as file:
        source = Input(files or [], bar)
        if cut is None:
            file.writelines(filters.findings(build(), source.pieces(), order))
            return
        bad = _write(filters.run(partial(filters.scanning, build, order), cut(source.lines()), workers), file)
    if bad:
        raise typer.Exit(1)


def _format(
    kind: str, unit: str | None, fields: list[str] | None, workers: int
) -> tuple[Shape, Callable[[Iterable[Line]], Iterator[Unit]] | None]:
    """A format's shape and how its lines are cut, None where all is one text; tells what does not go together."""
    _one_of(kind, FORMATS, "--format")
    if kind != TEXT:
        if unit:
            raise _fail(f"--unit is for --format {TEXT}", 2)
        return SHAPES[kind], SHAPES[kind].cut
    if fields:
        raise _fail("--field is for JSON lines", 2)
    if _one_of(unit or WHOLE, (WHOLE, *UNITS), "--unit") != WHOLE:
        return Shape(UNITS[unit or ""], filters.rewrite_text, places=True), UNITS[unit or ""]
    if workers > 1:
        raise _fail(f"--workers: one text is read by one process; --unit {' or '.join(UNITS)} lets several work", 2)
    return Shape(each_line, filters.rewrite_text, places=True), None


def _write(results: Iterable[Told], file: IO[bytes]) -> bool:
    """Write what there is, tell what there is not; whether anything was told."""
    bad = False
    for told in results:
        if told.fault:
            bad = True
            _say(told.fault, err)
        else:
            file.write(told.out)
    return bad


@app.command()
def mask(
    name: Annotated[str, typer.Option("--mask", help="A mask of the policy, by name.")],
    files: Files = None,
    *,
    policy: PolicyFile = POLICY,
    kind: Annotated[str, typer.Option("--format", help=f"What the input is: {', '.join(FORMATS)}.")] = TEXT,
    fields: Fields = None,
    unit: UnitOf = None,
    roster: RosterFile = None,
    detectors: DetectorsFile = None,
    secrets: Annotated[str, typer.Option("--secrets", help="The gateway's keys: file, or env:NAME.")] = str(
        ROOT / "var" / "keys" / "secrets"
    ),
    scope: Annotated[str, typer.Option("--scope", help="Surrogates and date shifts agree within one scope.")] = "cli",
    workers: Workers = 1,
    output: OutFile = None,
) -> None:
    """Mask text as the gateway would mask an answer; `--roster` and `--detectors` replace the policy's own."""
    shape, cut = _format(kind, unit, fields, workers)
    build = partial(_masking, policy, name, secrets, scope, roster=roster, own=detectors)
    with _streams(), progress(err, "masking", apart=output is not None) as bar, writing(output) as file:
        source = Input(files or [], bar)
        if cut is None:
            found, transformer = build()
            for piece in filters.pieces(found, source.pieces()):
                file.write(transformer.render(piece).encode("utf-8", "replace"))
            return
        order = Order(shape, tuple(fields or ("text",)))
        bad = _write(filters.run(partial(filters.masking, build, order), cut(source.lines()), workers), file)
    if bad:
        raise typer.Exit(1)


def _masking(
    policy: Path, name: str, secrets: str, scope: str, *, roster: Path | None, own: Path | None
) -> tuple[Detectors, Transformer]:
    loaded = _policy(policy)
    try:
        transformer = Transformer(_mask(loaded, name), read_secrets(secrets), scope)
    except StartFault as fault:
        raise _fail(str(fault)) from None
    found = _detectors(
        roster or (loaded.folder / loaded.roster if loaded.roster else None),
        own or (loaded.folder / loaded.detectors if loaded.detectors else None),
    )
    return found, transformer


def _mask(policy: Policy, name: str) -> Mask:
    if name == REVEAL.name:
        return REVEAL
    if name not in policy.masks:
        known = ", ".join(sorted(policy.masks)) or "none"
        raise _fail(f"no mask of this name in the policy; it has: {known}", 2)
    return policy.masks[name]


# -- how well it finds ------------------------------------------------------------------------------------------------


@app.command()
def evaluate(
    data: Annotated[list[str] | None, typer.Argument(help="Labelled JSON lines; `-` is standard input.")] = None,
    *,
    roster: RosterFile = None,
    detectors: DetectorsFile = None,
    bias: Annotated[str, typer.Option(help=f"What score counts: {', '.join(BIASES)}.")] = "recall",
    case: Annotated[str | None, typer.Option(help=f"Read the texts in {' or '.join(CASES)} case.")] = None,
    variant: Annotated[str | None, typer.Option(help=f"Read them written oddly: {', '.join(VARIANTS)}.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help=f"LABEL=GROUP, of {', '.join(GROUPS)} or {IGNORED}; repeatable.")
    ] = None,
    workers: Workers = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many texts.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="So many of the worst misses and false positives.")] = WORST,
    show_text: Annotated[bool, typer.Option("--show-text", help="Show what was missed, and what stands around it.")] = (
        False
    ),
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Measure what is found of labelled text: lines `{"id","text","spans":[{"start","end","label"}]}`.

    A span is found when 95 % of its letters and digits are covered. Intervals are 95 %, by texts. Ends with 1 when a
    line could not be read (told by its number, never its content) or when there was none.
    """
    writings = tuple(
        _one_of(word, known, option)
        for option, word, known in (("--case", case, CASES), ("--variant", variant, VARIANTS))
        if word
    )
    setting = Setting(writings, BIASES[_one_of(bias, BIASES, "--bias")], _groups(label or []), show=show_text)
    bad: list[str] = []

    def told(fault: str) -> None:
        bad.append(fault)
        _say(fault, err)

    with _streams(), progress(err, "evaluating", apart=True) as bar:
        lines = some(Input(data or [], bar).lines(), limit)
        tally = evaluation.run(
            lines, partial(_detectors, roster, detectors), setting, told, workers=workers, worst=worst
        )
    if not tally.texts:
        raise _fail("no text to evaluate")
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(tally.report(), option=orjson.OPT_INDENT_2) + b"\n")
        sys.stdout.buffer.flush()
    else:
        out.print(evaluation.view(tally))
    if bad:
        raise typer.Exit(1)


def _one_of(word: str, known: Collection[str], option: str) -> str:
    if word not in known:
        raise _fail(f"{option}: not one of {', '.join(known)}", 2)
    return word


def _groups(pairs: list[str]) -> dict[str, str]:
    split = [pair.rpartition("=") for pair in pairs]
    if any(not name or group not in (*GROUPS, IGNORED) for name, _, group in split):
        raise _fail(f"--label: expected LABEL=GROUP, of {', '.join((*GROUPS, IGNORED))}", 2)
    return {plain_label(name): group for name, _, group in split}


# -- the journal ----------------------------------------------------------------------------------------------------


@app.command(name="sessions")
def list_sessions(
    journal: JournalFolder = JOURNAL,
    subject: Annotated[str | None, typer.Option(help="Only this subject's.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")] = False,
) -> None:
    """List the sessions in the journal, the latest first."""
    _folder(journal)
    found = read.sessions(journal, sessions.Wanted(subject=subject), note=_flaw)
    if as_json:
        for summary in found:
            sys.stdout.buffer.write(orjson.dumps(summary, default=_plain) + b"\n")
    else:
        out.print(show.sessions_table(found))


@app.command(name="show")
def show_exchange(
    exchange: Annotated[str, typer.Argument(help="The id from the header `phi-exchange`, or of a session.")],
    journal: JournalFolder = JOURNAL,
) -> None:
    """Show one exchange: who, what, the decision, what was found, and both sides as the journal holds them.

    The id of a session lists its exchanges.
    """
    _folder(journal)
    if records := read.exchange(journal, exchange, note=_flaw):
        out.print(show.exchange_view(records))
    elif asked := [entry.record for entry in read.records(journal) if entry.record.get("session") == exchange]:
        out.print(show.exchanges_table(asked))
    else:
        raise _fail("the journal knows no exchange and no session of this id")


def _folder(journal: Path) -> None:
    if not journal.is_dir():
        raise _fail(f"{journal}: no such folder")


def _flaw(flaw: read.Flaw) -> None:
    _say(f"{flaw.file}:{flaw.line}: {flaw.reason}", err)


def _plain(value: object) -> object:
    if isinstance(value, set | frozenset | tuple):
        return sorted(value)
    raise TypeError


if __name__ == "__main__":
    app()
