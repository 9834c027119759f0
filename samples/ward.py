"""A ward's morning through a gateway of its own: what leaves a journal worth looking at.

In its policy clinicians see names, and originals are sealed to an auditor; the default policy is on trial beside it.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from model_server import MODELS, ModelServer
from patients import ASHDOWN, OYELARAN
from people import policy_for
from phigate.capture import seal
from processes import Gateway, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from issuer import SampleIssuer

CHAT: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Visit:
    """What one person asks in one conversation; `stated` are headers beside the bearer."""

    login: str
    questions: tuple[str, ...]
    stream: bool = False
    stated: tuple[tuple[str, str], ...] = ()


MORNING: Final = (
    Visit(
        "dr.okafor",
        (
            f"Patient: {ASHDOWN.name}, MRN {ASHDOWN.mrn}. How is she today?",
            "Is her potassium in range?",
            "How do I reach her next of kin?",
        ),
        stream=True,
    ),
    Visit("dr.okafor", (f"Write the discharge summary of {OYELARAN.name}, MRN {OYELARAN.mrn}.",)),
    Visit(
        "sam.lindqvist", (f"Compare the cohort: {ASHDOWN.name} and {OYELARAN.name}.", "What is the range of potassium?")
    ),
    Visit("dr.okafor", (f"Who is MRN {ASHDOWN.mrn}?",), stated=(("phi-unmask", "call back about a critical result"),)),
    Visit("dr.okafor", ("Please list all patients of the ward.",)),
    Visit("priya.raman", (f"How is {ASHDOWN.name}?",)),
    Visit("lee.castellano", ("Hello?",)),
)


def morning(gateway_url: str, issuer: SampleIssuer) -> Iterator[tuple[str, int]]:
    """Play it, in order: (login, status) of each answer; two requests at its end carry no bearer that is believed."""
    with httpx.Client(base_url=gateway_url, trust_env=False, timeout=60) as client:
        for number, visit in enumerate(MORNING):
            headers = {
                "authorization": f"Bearer {issuer.mint_for(visit.login)}",
                "phi-session": f"morning-{number}",
                **dict(visit.stated),
            }
            turns: list[dict[str, Any]] = []
            for question in visit.questions:
                turns.append({"role": "user", "content": question})
                tree = {"model": MODELS[0], "messages": turns, "stream": visit.stream}
                answer = client.post(CHAT, json=tree, headers=headers)
                yield visit.login, answer.status_code
                if not visit.stream and answer.status_code == httpx.codes.OK:
                    turns.append(answer.json()["choices"][0]["message"])
        for bearer in ("", "not.a.bearer"):
            headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
            yield "", client.post(CHAT, json={"model": MODELS[0], "messages": []}, headers=headers).status_code


def leave_a_journal(issuer: SampleIssuer, model: ModelServer, folder: Path, auditor: Path) -> list[tuple[str, int]]:
    """Play the morning through a gateway that writes under `folder`; the auditor's key is made if there is none."""
    with tempfile.TemporaryDirectory(prefix="phigate-ward-") as own:
        default = policy_for(issuer.url, Path(own))
        policy = default.with_name("ward.yaml")
        policy.write_text(of_the_ward(default.read_text(encoding="utf-8"), auditor), encoding="utf-8")
        extra = settings(phi_shadow=default)
        with Gateway(model.url, policy, folder, extra=extra) as gateway:
            return list(morning(gateway.url, issuer))


NAMES_HIDDEN: Final = re.compile(r"(minimum-necessary:\n +PERSON: )surrogate\b")
MASKED_ONLY: Final = re.compile(r"^( +)bodies: masked\b", re.MULTILINE)


def of_the_ward(text: str, auditor: Path) -> str:
    """Return the default policy's text, but that clinicians see names and originals are sealed."""
    if not auditor.exists():
        auditor.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(auditor, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(seal.pem_of(X25519PrivateKey.generate()))
    public = seal.text_of(seal.private_of(auditor.read_bytes()).public_key())
    return MASKED_ONLY.sub(rf"\1bodies: sealed\n\1seal_to: {public}", NAMES_HIDDEN.sub(r"\1keep", text))
