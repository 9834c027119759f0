"""A model server's messages, masked: whole ones at once, those of a stream as texts that grow over its messages.

Pure: messages in, messages out, all through one exchange's Sight. Whatever cannot be read raises WireError, and nothing
of it goes out.
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from phigate.dialect import kserve_grpc as kserve
from phigate.dialect import protobuf
from phigate.dialect.protobuf import Few, Node, Unreadable, WireError
from phigate.dialect.tensors import FEW, is_text
from phigate.dialect.tree import constant, plain
from phigate.masking.sight import HeldChannel
from phigate.rpc import texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.dialect.kserve_grpc import Infer, Tensor
    from phigate.masking import Sight

LONGEST_ERROR: Final = 4000
"""Characters of an error message that are passed on; a longer one is an echo of the prompt."""
REFUSED: Final = "The model server refused the request."
LONG_NUMBER: Final = 10_000
"""From here on a number may be an identifier."""
LETTERS: Final = kserve.LETTERS
REMEMBERED: Final = 200
"""Characters of a parameter's texts that are looked at together."""
MOST_ELEMENTS: Final = 4096
"""Texts that one exchange's stream may carry in all; each holds back some."""


_PARTS: Final = re.compile(r"[_\W]+|(?<=[a-z])(?=[A-Z])")


class Opaque(WireError):  # noqa: N818 -- what the answer is
    """An answer holds what may be text in a form that nobody can read, and no rule lets that through."""


class NoTextError(ValueError):
    """Signs that no text has: with them between its letters a text reads as something else."""


NO_TEXT: Final = (UnicodeDecodeError, NoTextError)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller asked with: what an answer says of it is the caller's own."""

    id: str
    model: str
    wants_final: bool = False


@dataclass(slots=True)
class Masked:
    """One message for the caller, and what bystanders see of it."""

    message: bytes
    shown: Any = None


def error_text(message: str, sight: Sight) -> tuple[str, str]:
    """(for the caller, for bystanders) of a model server's error message."""
    return sight.text(message if len(message) <= LONGEST_ERROR else REFUSED)


def described(data: bytes, schema: protobuf.Schema, sight: Sight, *, opaque: bool) -> Masked:
    """An answer that describes server or model: every text in it masked where it stands."""
    node = protobuf.read(data, schema)
    shown: list[str] = []

    def render(text: str) -> str:
        if not plain(text):
            shown.append(sight.for_bystanders(text))
            return sight.for_caller(text)
        return str(constant(text, sight.for_caller))

    try:
        protobuf.masked(node, render, opaque=opaque)
    except Unreadable:
        raise Opaque("bytes that may be anything") from None
    return Masked(protobuf.write(node), shown or None)


@dataclass(slots=True)
class Answers:
    """The answers to one request, in order."""

    sight: Sight
    asked: Asked
    opaque: bool
    shown: list[Any] = field(default_factory=list)
    _elements: dict[tuple[str, int], Element] = field(default_factory=dict)
    _numbers: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _said: dict[tuple[int, str], str] = field(default_factory=dict)
    """The end of what the parameter of this name said in all messages."""
    _few: Few = field(default_factory=lambda: Few(FEW))
    _frame: dict[int, str] = field(default_factory=dict)
    """Model, version and id of the last message."""
    _tensors: dict[str, Tensor] = field(default_factory=dict)
    """The last tensor of each name: what held back texts go out in."""
    _bare: bool = False
    """Whether the model server streams its answers with no message around them."""

    @property
    def held(self) -> int:
        """Characters, about, of all texts that are held back: the next message may have all of them read."""
        return sum(element.held for element in self._elements.values())

    def whole(self, data: bytes) -> Masked:
        """The answer to a unary call."""
        answer = kserve.infer(protobuf.read(data, kserve.ANSWER))
        self._look(answer)
        elements = (element for tensor in answer.tensors for element in tensor.texts or ())
        if not self.opaque and None in map(kserve.decoded, elements):
            raise Opaque("bytes that are no text")
        shown = {"outputs": texts.mask(answer, "outputs", self.sight)}
        return Masked(answer.bytes(), shown | ({"parameters": self.shown} if self.shown else {}))

    def streamed(self, node: Node, *, final: bool, bare: bool = False) -> list[Masked]:
        """The messages that one message of a stream becomes: none, one, or one more for what was held back.

        `final` says that nothing more answers this request, `bare` that answers go out as they are, as they came.
        """
        self._bare = bare
        error, answer = node.text(1), node.values.get(2)
        if node.unknown or (answer is None and not error):
            raise WireError("neither an answer nor an error")
        if answer is not None and not error:
            return self._part(answer, final=final)
        caller, shown = error_text(error, self.sight)
        whose = Node(kserve.ANSWER, {kserve.ID: self.asked.id})
        message = protobuf.write(Node(kserve.STREAMED, {1: caller, 2: whose}))
        return [*(self.finish() if final else []), Masked(message, shown)]

    def _part(self, node: Node, *, final: bool) -> list[Masked]:
        answer = kserve.infer(node)
        self._look(answer)
        self.shown.clear()  # of one message only
        self._frame = {at: answer.node.text(at) for at in (kserve.MODEL_NAME, kserve.VERSION, kserve.ID)}
        shown: list[str] = []
        for place, tensor in enumerate(answer.tensors):
            if tensor.texts is not None:
                self._tensors[tensor.name] = tensor
                tensor.texts = [
                    self._fed(tensor.name, (place, at), element, shown, final=final)
                    for at, element in enumerate(tensor.texts)
                ]
        message = Masked(self._written(answer), _joined(shown))
        if not final:
            return [message]
        untold = not answer.tensors and not self.asked.wants_final  # the caller did not ask to be told
        return [*self.finish(), *([] if untold else [message])]

    def finish(self) -> list[Masked]:
        """What was held back of texts that no message names any more, in one of our own."""
        shown: list[str] = []
        left: dict[str, dict[int, str]] = {}
        for (name, at), element in self._elements.items():
            text = self._closed(element)
            shown += element.take_shown()
            if text:
                left.setdefault(name, {})[at] = text
        self._elements.clear()
        tensors, self._tensors = self._tensors, {}
        if not left:
            return []
        kept = [tensors[name] for name in left]
        raw = all(tensor.raw for tensor in kept)
        for tensor in kept:
            pieces = left[tensor.name]
            tensor.texts = [pieces.get(at, "").encode() for at in range(len(tensor.texts or ()))]
            tensor.raw = raw
            tensor.node.values[5] = Node(kserve.CONTENTS)
        node = Node(kserve.ANSWER, {**self._frame, kserve.TENSORS: [tensor.node for tensor in kept]})
        return [Masked(self._written(kserve.Infer(node, kept, {})), _joined(shown))]

    def _written(self, answer: Infer) -> bytes:
        data = answer.bytes()
        return data if self._bare else protobuf.write(Node(kserve.STREAMED, {2: answer.node}))

    def _closed(self, element: Element) -> str:
        try:
            return element.close()
        except NO_TEXT:
            if not self.opaque:
                raise Opaque("bytes that are no text") from None
            return element.give_up()

    # -- what is not a text of the model's --------------------------------------------------------------------------

    def _look(self, answer: Infer) -> None:
        """Settle everything but the texts; raises Opaque."""
        render = self.sight.for_caller
        node = answer.node
        if kserve.asks_for_shared_memory(answer):
            raise WireError("contents that are not here")
        if answer.id:
            node.values[kserve.ID] = self.asked.id
        node.values[kserve.MODEL_NAME] = self.asked.model
        node.values[kserve.VERSION] = _constant(answer.version, render)
        try:
            self._look_at_unknown(answer)
        except Unreadable:
            raise Opaque("a field that nobody knows") from None
        for at, parameters in enumerate(answer.all_parameters()):
            for name, value in list(parameters.items()):
                if not self._settled((at, name), value):
                    del parameters[name]
        for tensor in answer.tensors:
            if tensor.texts is None and not self.opaque:
                if kserve.spells(tensor, self._numbers[tensor.name]):
                    raise Opaque("numbers that may be text")
                self._numbers[tensor.name] += kserve.kept(tensor)
            if tensor.texts is not None and not self.opaque and kserve.pieces(tensor):
                raise Opaque("a text in pieces")
            tensor.node.values[1] = _constant(tensor.name, render)
        if max(len(self._numbers), len(self._tensors), len(self._said)) > MOST_ELEMENTS:
            raise WireError("too many names")

    def _look_at_unknown(self, answer: Infer) -> None:
        nodes = [answer.node, *(tensor.node for tensor in answer.tensors)]
        nodes += [value for parameters in answer.all_parameters() for value in parameters.values()]
        for node in nodes:
            protobuf.unknown(node, self.sight.for_caller, opaque=self.opaque, few=self._few)

    def _settled(self, place: tuple[int, str], value: Node) -> bool:
        """Mask a parameter in its place; False where it has to be left out."""
        name, render = place[1], self.sight.for_caller
        if render(name) != name:
            return False
        for kind, held in value.values.items():
            if kind == kserve.STRING:
                self._look_back(place, held)
                caller, shown = texts.parameter(name, held, self.sight)
                value.values[kind] = caller
                self.shown.append({name: shown})
            elif kind != kserve.BOOL and not self._counts(name, kserve.value_of(value)):
                return False
        return True

    def _counts(self, name: str, number: float) -> bool:
        """Whether a parameter's number is nobody's, and not one of those which spell a text message by message."""
        if number % 1:
            return True
        seen = self._numbers[f"{name}="]
        if abs(number) >= LETTERS and len(seen) <= FEW:
            seen.append(number)
        told = f"{name}: {int(number)}"
        return len(seen) <= FEW and (abs(number) < LONG_NUMBER or self.sight.for_caller(told) == told)

    def _look_back(self, place: tuple[int, str], text: str) -> None:
        """Raise where a parameter tells a text in pieces: each would be looked at alone."""
        before = self._said.get(place, "")
        if text == before:
            return
        self._said[place] = joined = (before + text)[-REMEMBERED:]
        if before and not self.opaque and not (plain(text) and _constant(joined, self.sight.for_caller) == joined):
            raise Opaque("a parameter in pieces")

    # -- streamed ---------------------------------------------------------------------------------------------------

    def _fed(self, name: str, way: tuple[int, int], data: bytes, shown: list[str], *, final: bool) -> bytes:
        place, at = way
        element = self._elements.get((name, at))
        if element is None:
            if len(self._elements) >= MOST_ELEMENTS:
                raise WireError("too many texts")
            element = self._elements[name, at] = Element(self.sight, name, ("outputs", place, "data", at))
        try:
            return (element.feed(data) + (element.close() if final else "")).encode()
        except NO_TEXT:
            if not self.opaque:
                raise Opaque("bytes that are no text") from None
            del self._elements[name, at]  # what follows is read anew
            return element.give_up().encode() + data
        finally:
            shown += element.take_shown()


class Element:
    """One element of a BYTES tensor as it grows: bytes in, the caller's text out, what is not decided held back."""

    def __init__(self, sight: Sight, name: str, way: tuple[str | int, ...]) -> None:
        self._shown: list[str] = []
        paths = sight.paths
        if paths is not None and paths.speaks_of(*way):
            self._channel: Any = HeldChannel(sight, self._shown, way, kserve.TEXTS)
        else:
            self._channel = sight.channel(self._shown)
        key = kserve.key(name)
        label = "" if key in kserve.TEXTS.prose or paths is not None else " ".join(_PARTS.split(key)) + ": "
        self._label = label if label and sight.for_caller(label) == label else ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._begun = self._closed = False
        self._before = ""

    @property
    def held(self) -> int:
        return int(self._channel.held)

    def feed(self, data: bytes) -> str:
        text = self._decoder.decode(data)
        if not is_text(text):
            raise NoTextError
        if not text:
            return ""
        if not self._begun:
            self._begun = True
            if text.lstrip()[:1] in {"{", "["} or text.lstrip().startswith("MSH"):
                self._label = ""  # it says itself what is in it
            text = self._label + text
        return self._without_label(self._channel.feed(text))

    def close(self) -> str:
        if self._closed:
            return ""
        self._closed = True
        self._decoder.decode(b"", final=True)
        return self._without_label(self._channel.close(), last=True)

    def give_up(self) -> str:
        """What was held back, where nothing more of it can be read."""
        return self._without_label(self._channel.close(), last=True)

    def take_shown(self) -> list[str]:
        shown, self._shown[:] = list(self._shown), []
        return shown

    def _without_label(self, out: str, *, last: bool = False) -> str:
        """A label is read with the text and does not go out; one that became part of a finding goes with it."""
        if not self._label:
            return out
        self._before += out
        if len(self._before) < len(self._label) and not last:
            return ""
        out = self._before.removeprefix(self._label)
        self._label = self._before = ""
        return out


def _constant(text: str, render: Callable[[str], str]) -> str:
    return str(constant(text, render)) if plain(text) else render(text)


def _joined(shown: list[str]) -> str | None:
    return "".join(shown) or None
