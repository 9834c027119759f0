"""Which model a caller's name means.

An exact name beats a pattern; two patterns of different models that both fit are no answer. Without `models:` the name
itself is the target, if it looks like a model's name at all: it travels into records. `x:latest` is `x` everywhere
(Ollama: a name without a tag has that one).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phigate.policy.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.policy.schema import Model

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}", re.ASCII)
_LATEST = ":latest"
_HOMES = ("registry.ollama.ai/", "library/")


def untagged(name: str) -> str:
    """A model's name without the tag that says nothing."""
    return name.removesuffix(_LATEST)


def folded(name: str) -> str:
    """What all spellings of a name have in common that some server takes for the same (Ollama: case, its library)."""
    name = untagged(name.casefold())
    for home in _HOMES:
        name = name.removeprefix(home)
    return name


@dataclass(frozen=True, slots=True)
class Target:
    """A model by the policy's name, and where it stands.

    `url` None is mitmproxy's reverse target, `grpc` None option `phi_grpc_upstream`; `credential` is `env:NAME`.
    """

    name: str
    url: str | None = None
    credential: str | None = None
    speaks: frozenset[str] = frozenset()
    """The dialects that its server speaks; an empty set limits nothing."""
    grpc: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    reason: str = "model-unknown"


@dataclass(frozen=True, slots=True)
class Ambiguous:
    models: tuple[str, ...]
    reason: str = "model-ambiguous"


class Targets:
    def __init__(self, models: Mapping[str, Model] | None) -> None:
        self._open = models is None
        self._exact: dict[str, Target] = {}
        self._globs: list[tuple[Any, Target]] = []
        self._all: list[Target] = []
        for name, model in (models or {}).items():
            target = Target(name, model.url, model.credential, frozenset(model.speaks), model.grpc)
            self._all.append(target)
            for known in model.names or (name,):
                self._add(known, target)

    def _add(self, known: str, target: Target) -> None:
        if "*" in known or "?" in known:
            self._globs.append((compile_pattern(_anchored(known)), target))
        else:
            self._exact[untagged(known)] = target

    def resolve(self, model: str, dialect: str | None = None) -> Target | Unknown | Ambiguous:
        """The model that a name means, of those that speak `dialect` (None: whatever they speak)."""
        if not _PLAIN.fullmatch(model):
            return Unknown()
        model = untagged(model)
        if self._open:
            return Target(model)
        if exact := self._exact.get(model):
            return exact if _speaks(exact, dialect) else Unknown()
        spelled = (model, model + _LATEST)
        fitting = {
            target.name: target
            for pattern, target in self._globs
            if _speaks(target, dialect) and any(map(pattern.search, spelled))
        }
        if len(fitting) > 1:
            return Ambiguous(tuple(sorted(fitting)))
        return next(iter(fitting.values()), Unknown())

    def called(self, name: str) -> Target | Unknown | Ambiguous:
        """The model that the policy itself calls so, whatever callers call it."""
        if self._open:
            return Target(name)
        return next((target for target in self._all if target.name == name), Unknown())

    def speaking(self, dialect: str) -> Target | Unknown | Ambiguous:
        """The model that is meant where a protocol names none: the only one that says it speaks the protocol.

        Without `models:` it is named like the dialect.
        """
        if self._open:
            return Target(dialect)
        fitting = [target for target in self._all if dialect in target.speaks] or [
            target for target in self._all if not target.speaks
        ]
        if len(fitting) > 1:
            return Ambiguous(tuple(sorted(target.name for target in fitting)))
        return fitting[0] if fitting else Unknown()


def _speaks(target: Target, dialect: str | None) -> bool:
    return dialect is None or not target.speaks or dialect in target.speaks


def _anchored(glob: str) -> str:
    wild = {"*": ".*", "?": "."}
    return r"\A" + "".join(wild.get(letter) or re.escape(letter) for letter in glob) + r"\z"
