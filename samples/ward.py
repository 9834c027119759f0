"""A ward's morning through the gateway: what leaves a journal worth looking at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from model_server import MODELS
from patients import ASHDOWN, OYELARAN

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
