"""AuditEvents to an audit repository: IHE ITI-20, the FHIR feed (RESTful ATNA), over https.

Rules of this file:

- Every resource is settled or told of: created, already there, refused (and its status), or not sent.
- A repeat is no second event: each is created only where no event with its tag is (FHIR R4 3.1.0.8.1, conditional
  create), so a batch whose answer was lost can be sent again.
- What may pass is tried again, ATTEMPTS times at most, waiting longer each time; what the repository refuses is not.
- A bearer goes to the address that was named and nowhere else: no redirect is followed, and plain http never leaves
  this machine.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import httpx
import orjson

from phigate.audit.export.fhir_codes import OURS
from phigate.identity.fetch import trusted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from phigate.audit.export.fhir import Resource

ATTEMPTS: Final = 6
FIRST_WAIT: Final = 0.5
"""Seconds; twice as long each time."""
LONGEST_WAIT: Final = 60.0
SECONDS: Final = 30.0
"""Of one request."""
MAX_ANSWER: Final = 8 * 1024 * 1024
TOLD: Final = 20
"""Refused resources that are named; all are counted."""
JSON: Final = "application/fhir+json"
NOT_USABLE: Final = "not an https address (http on this machine only)"
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_CREATED: Final = 201
_THERE: Final = 200
_SEVERAL: Final = 412
"""Of a conditional create: there are several that match."""


def tls(certificate: Path | None) -> ssl.SSLContext:
    """What the system trusts (`SSL_CERT_FILE` says otherwise), and, for a repository that asks who we are (IHE ITI-19),
    a certificate with its key in one PEM file. Raises OSError (ssl.SSLError is one).
    """
    context = ssl.create_default_context()
    if certificate is not None:
        context.load_cert_chain(certificate, password=_none)
    return context


def _none() -> str:
    """A key that has a password is not asked about at a terminal."""
    return ""


def usable(url: str) -> bool:
    """Whether events may be sent to an address: https, or http that cannot leave this machine."""
    try:
        return trusted(url) and "?" not in url and bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


class Undelivered(Exception):  # noqa: N818 -- it says what became of them
    """The repository did not take them, and trying again did not help; the message says why."""


@dataclass(slots=True)
class Delivered:
    """What became of all that was sent."""

    created: int = 0
    there: int = 0
    refused: int = 0
    told: list[tuple[str, int]] = field(default_factory=list)
    """(id, HTTP status) of those refused, TOLD of them at most."""

    def settle(self, id_: str, status: int) -> None:
        if status == _CREATED:
            self.created += 1
        elif status in (_THERE, _SEVERAL):
            self.there += 1
        else:
            self.refused += 1
            if len(self.told) < TOLD:
                self.told.append((id_, status))


class Repository:
    """An audit repository's FHIR endpoint; `url` is its base, `batch` how many go at once (1: one after the other)."""

    def __init__(
        self,
        url: str,
        *,
        bearer: str | None = None,
        batch: int = 100,
        context: ssl.SSLContext | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if not usable(url):
            raise Undelivered(NOT_USABLE)
        self.batch: Final = max(1, batch)
        self.delivered: Final = Delivered()
        self.url: Final = url.rstrip("/")
        self._wait = wait
        headers = {"content-type": JSON, "accept": JSON, "accept-encoding": "identity"}
        if bearer is not None:
            headers["authorization"] = f"Bearer {bearer}"
        self._client = httpx.Client(
            headers=headers,
            timeout=SECONDS,
            trust_env=False,
            verify=context or tls(None),
            follow_redirects=False,
        )

    def send(self, resources: Sequence[Resource]) -> None:
        """Settle these; raises Undelivered when some are not, and counts those that are all the same."""
        if self.batch == 1:
            for resource in resources:
                self._single(resource)
        else:
            self._bundle(list(resources))

    def _single(self, resource: Resource) -> None:
        status, _ = self._post(
            f"{self.url}/AuditEvent",
            orjson.dumps(resource),
            {"if-none-exist": _condition(resource), "prefer": "return=minimal"},
        )
        self.delivered.settle(resource["id"], status)

    def _bundle(self, rest: list[Resource]) -> None:
        """Send a batch; those of it that may pass at another time go again, alone."""
        for attempt in range(ATTEMPTS):
            status, raw = self._post(self.url, orjson.dumps(bundle(rest)), {})
            if status != _THERE:
                raise Undelivered(f"the repository refuses batches (status {status}); `--batch 1` sends one by one")
            statuses = _statuses(raw, len(rest))
            again = [one for one, settled in zip(rest, statuses, strict=True) if settled in _PASSING]
            for one, settled in zip(rest, statuses, strict=True):
                if settled not in _PASSING:
                    self.delivered.settle(one["id"], settled)
            if not again:
                return
            rest = again
            if attempt < ATTEMPTS - 1:
                self._wait(_pause(attempt, None))
        raise Undelivered(f"the repository has no room for {len(rest)} events")

    def _post(self, url: str, content: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body; what may pass is tried again. A refusal of a single resource is an answer like others."""
        why = ""
        for attempt in range(ATTEMPTS):
            after = None
            try:
                status, raw, after = self._once(url, content, headers)
            except httpx.HTTPError as fault:
                why = f"no answer ({type(fault).__name__})"
            else:
                if status in (401, 403, 404, 405) or 300 <= status < 400:
                    raise Undelivered(f"the repository answers {status}")
                if status not in _PASSING:
                    return status, raw
                why = f"the repository answers {status}"
            if attempt < ATTEMPTS - 1:
                self._wait(_pause(attempt, after))
        raise Undelivered(f"{why}, {ATTEMPTS} times")

    def _once(self, url: str, content: bytes, headers: dict[str, str]) -> tuple[int, bytes, str | None]:
        with self._client.stream("POST", url, content=content, headers=headers) as answer:
            raw = bytearray()
            for chunk in answer.iter_raw():
                raw += chunk
                if len(raw) > MAX_ANSWER:
                    raise Undelivered("the repository's answer is too long")
            return answer.status_code, bytes(raw), answer.headers.get("retry-after")

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bundle(resources: Sequence[Resource]) -> Resource:
    """A batch (FHIR R4 3.1.0.11) that creates each of these unless it is there."""
    entries = [
        {
            "fullUrl": f"urn:uuid:{resource['id']}",
            "resource": resource,
            "request": {"method": "POST", "url": "AuditEvent", "ifNoneExist": _condition(resource)},
        }
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "batch", "entry": entries}


def _condition(resource: Resource) -> str:
    return f"_tag={quote(f'{OURS}:record', safe='')}%7C{resource['id']}"


def _statuses(raw: bytes, expected: int) -> list[int]:
    """The status of each entry of a batch-response, in order; anything else was settled by nobody."""
    try:
        answer = orjson.loads(raw)
        entries = answer["entry"]
        statuses = [int(str(entry["response"]["status"])[:3]) for entry in entries]
    except (ValueError, KeyError, TypeError, IndexError):
        raise Undelivered("the repository's answer is no batch-response") from None
    if len(statuses) != expected:
        raise Undelivered("the repository answers for other events than it was sent")
    return statuses


def _pause(attempt: int, after: str | None) -> float:
    """Seconds to wait, as the repository asks (RFC 9110 section 10.2.3, in seconds) or twice as long each time."""
    asked: Any = after.strip() if after else ""
    wanted = float(asked) if asked.isdecimal() else FIRST_WAIT * 2**attempt
    return min(wanted, LONGEST_WAIT)
