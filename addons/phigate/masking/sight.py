"""One exchange's texts, masked twice in one pass: for the caller, and apart from that for everyone looking on.

Pure: text and trees in, text and trees out. Every text is scanned once; the caller's mask (the rule's) and the
shown mask (`capture.mask`: records, shadows, tickets) render the same pieces.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from phigate.dialect.channels import MOST_HELD, Held
from phigate.dialect.tree import rewrite
from phigate.masking import structure as structures
from phigate.masking.detect import Piece
from phigate.masking.evidence import Hit
from phigate.masking.identifiers import identifier
from phigate.masking.memory import Memory
from phigate.masking.restore import STAND_IN, Standing
from phigate.masking.structure import Growing, Structure, parts, pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.dialect.tree import Fields
    from phigate.masking.detect import Detectors, Whole
    from phigate.masking.restore import StandIns
    from phigate.masking.structure.paths import Paths
    from phigate.masking.transforms import Secrets, Transformer

type _Memos = tuple[dict[str, tuple[str, str]], dict[str, tuple[str, str]], dict[tuple[str, str], tuple[str, str]]]

MOST_KEPT = 16 * 1024 * 1024
"""Characters of an exchange's texts, about, whose masked forms are kept to be used again."""
_EACH = 100
"""What keeping a text costs beside its characters."""


class Sight:
    """What one exchange's masks make of its texts; counts what was found."""

    def __init__(  # noqa: PLR0917 -- what it sees with, in the order in which it is used
        self,
        detectors: Detectors,
        secrets: Secrets,
        caller: Transformer | None,
        shown: Transformer,
        names: Memory | None = None,
        paths: Paths | None = None,
        stand_ins: StandIns | None = None,
    ) -> None:
        """`caller` None hides nothing from the caller; `paths` are what the policy's `fields` say of this side.

        An answer's sight has the `names` that its prompt showed, and reads every text as if it were still growing, so
        that it is masked alike whole and streamed. A prompt's has none, and reads each text knowing all the others
        (see `study`). A prompt's `stand_ins` collect what its values are replaced with; an answer's are put back.
        """
        self._causal = names is not None
        self.names = names or Memory()
        self._read: dict[str, Whole] = {}
        self._collected = stand_ins if not self._causal else None
        self._originals = stand_ins.originals if stand_ins and self._causal else {}
        self._all = detectors
        self._detectors = detectors.beside(Standing(self._originals)) if self._originals else detectors
        self._secrets = secrets
        self._caller = caller
        self._shown = shown
        self.paths = paths
        self._seen: dict[str, tuple[str, str]] = {}
        self._plain: dict[str, tuple[str, str]] = {}
        self._hidden: dict[tuple[str, str], tuple[str, str]] = {}
        self._differs = False
        self.found: Counter[str] = Counter()
        self.identifiers: set[str] = set()
        """Keyed HMACs of what was found."""
        self.revealed: dict[str, None] = {}
        """Those of them that the caller's copy shows as they were, in the order in which they were found."""
        self._verbatim = False
        """Whether what is rendered goes to the caller as it stands, whatever its mask says."""
        self._beside: _Memos = ({}, {}, {})
        self.told: set[str] = set()
        self._kept = 0
        """What bystanders were shown of a stream's whole texts: what a protocol repeats is recorded once."""

    def expect(self, stand_ins: StandIns) -> None:
        """Put back, from here on, what values of a later prompt of the same conversation were replaced with."""
        self._originals = stand_ins.originals
        self._detectors = self._all.beside(Standing(self._originals))

    def text(self, text: str) -> tuple[str, str]:
        """(for the caller, for bystanders) of one whole text."""
        known = self._seen.get(text)
        if known is None:
            self._make_room(text)
            known = self._seen[text] = self._whole(text)
            self._differs = self._differs or known[0] != known[1]
        return known

    def _whole(self, text: str) -> tuple[str, str]:
        """Prose as it is found in, structures by what they are: an answer's as they would be in a stream."""
        if self._causal:
            names = self.names.copy()
            runs = [self._run(kind, list(run), names) for kind, run in groupby(pieces(text), type)]
            return "".join(caller for caller, _ in runs), "".join(shown for _, shown in runs)
        found = parts(text)
        if not found:
            return self._prose(text)
        for part in found:
            self._learn(part.structure, self.names)
        return (
            structures.rewrite(text, lambda part: self._prose(part)[0], self._hide(0)),
            structures.rewrite(text, lambda part: self._prose(part)[1], self._hide(1)),
        )

    def _run(self, kind: type, run: list[Any], names: Memory) -> tuple[str, str]:
        if kind is str:
            return self.render(self._detectors.whole("".join(run)).in_order(names))
        both = [self.structure(found, names) for found in run]
        return "".join(caller for caller, _ in both), "".join(shown for _, shown in both)

    def structure(self, found: Structure, names: Memory) -> tuple[str, str]:
        """(for the caller, for bystanders) of a structure in a text that has shown `names`; those it shows are added.

        The people that its members name are remembered for the texts that follow, too.
        """
        self._learn(found, names)
        self._learn(found, self.names)
        seen: dict[str, tuple[str, str]] = {}

        def read(part: str) -> tuple[str, str]:
            known = seen.get(part)
            if known is None:
                known = seen[part] = self.render(self._detectors.whole(part).in_order(names))
            return known

        return (
            found.rewrite(lambda part: read(part)[0], self._hide(0)),
            found.rewrite(lambda part: read(part)[1], self._hide(1)),
        )

    @staticmethod
    def _learn(found: Structure, names: Memory) -> None:
        for entity, value in found.known():
            names.learn([Hit(0, len(value), entity, "structure", 1.0)], value)

    def _prose(self, text: str) -> tuple[str, str]:
        known = self._plain.get(text)
        if known is None:
            self._make_room(text)
            known = self._plain[text] = self.render(self._pieces(text))
        return known

    def _hide(self, side: int) -> Callable[[str, str], str]:
        def hide(entity: str, text: str) -> str:
            known = self._hidden.get((entity, text))
            if known is None:
                self._make_room(text)
                known = self._hidden[entity, text] = self.render([Piece(text, entity, "structure", 1.0)])
            return known[side]

        return hide

    def study(self, tree: Any, fields: Fields) -> None:
        """Read every text of a tree, so that a name shown in one is found in all."""

        def read(text: str) -> str:
            if text not in self._read:
                self._read[text] = self._detectors.whole(text)
                for part in parts(text):
                    self._learn(part.structure, self.names)
            return text

        rewrite(tree, fields, read)
        for text in self._read.values():
            text.learn(self.names)

    def _pieces(self, text: str) -> list[Piece]:
        whole = self._read.get(text)
        return whole.pieces(self.names) if whole else self._detectors.pieces(text, self.names)

    def for_caller(self, text: str) -> str:
        return self.text(text)[0]

    def for_bystanders(self, text: str) -> str:
        return self.text(text)[1]

    def both(self, tree: Any, fields: Fields) -> tuple[Any, Any]:
        """A tree, masked for the caller and for bystanders: one and the same where no text differs."""
        caller = self.tree_for_caller(tree, fields)
        return caller, self.tree_for_bystanders(tree, fields) if self._differs or self.paths else caller

    def standing(self, way: tuple[str | int, ...], value: Any, fields: Fields) -> tuple[Any, Any]:
        """(for the caller, for bystanders) of a value that stands at a place of an answer."""
        caller, shown = self.both(_standing(way, value), fields)
        return _at(way, caller), _at(way, shown)

    def tree_for_caller(self, tree: Any, fields: Fields) -> Any:
        return self._tree(tree, fields, self.for_caller, self._hide(0), None)

    def tree_for_bystanders(self, tree: Any, fields: Fields) -> Any:
        return self._tree(tree, fields, self.for_bystanders, self._hide(1), self._kept_for_bystanders)

    def _kept_for_bystanders(self, text: str) -> str:
        """A text that the policy's `fields` keep for the caller: what is found in it is revealed, whatever the mask."""
        self._turn(verbatim=True)
        try:
            return self.for_bystanders(text)
        finally:
            self._turn(verbatim=False)

    def _turn(self, *, verbatim: bool) -> None:
        memos, self._beside = self._beside, (self._seen, self._plain, self._hidden)
        self._seen, self._plain, self._hidden = memos
        self._verbatim = verbatim

    def _tree(
        self,
        tree: Any,
        fields: Fields,
        render: Callable[[str], str],
        hide: Callable[[str, str], str],
        kept: Callable[[str], str] | None,
    ) -> Any:
        if self.paths is None:
            return rewrite(tree, fields, render)
        return self.paths.apply(tree, lambda rest: rewrite(rest, fields, render), render, hide, kept=kept)

    def render(self, pieces: list[Piece]) -> tuple[str, str]:
        if len(pieces) == 1 and pieces[0].entity is None:
            return pieces[0].text, pieces[0].text
        caller, shown = [], []
        for piece in pieces:
            text, entity = piece.text, piece.entity
            if entity is None:
                caller.append(text)
                shown.append(text)
                continue
            if entity == STAND_IN:
                caller.append(self._put_back(piece, shown))
            else:
                caller.append(self._hidden_from_caller(piece))
                shown.append(self._shown.render(piece))
                if self._shown.finds(piece) or (self._caller and self._caller.finds(piece)):
                    self._note(entity, text, caller[-1])
        return "".join(caller), "".join(shown)

    def _hidden_from_caller(self, piece: Piece) -> str:
        if self._caller is None or self._verbatim:
            return piece.text
        text = self._caller.render(piece)
        if self._collected is not None and piece.entity and self._caller.tells_apart(piece):
            self._collected.add(text, piece.text, piece.entity)
        return text

    def _put_back(self, piece: Piece, shown: list[str]) -> str:
        """The original of a stand-in, which the caller wrote; one that is written otherwise is told to nobody."""
        original = self._originals.get(piece.text)
        real = (
            Piece(original.text, original.entity, "stand-in", 1.0) if original else piece._replace(entity="UNIQUE_ID")
        )
        shown.append(self._shown.render(real))
        told = piece.text if self._verbatim else original.text if original else shown[-1]
        self._note(str(real.entity), real.text, told)
        return told

    def _note(self, entity: str, text: str, told: str) -> None:
        """Count what was found; what the caller is told counts as it was also where a transform gave it back."""
        self.found[entity] += 1
        own = identifier(entity, text, self._secrets)
        self.identifiers.add(own)
        if own not in self.revealed and (told == text or identifier(entity, told, self._secrets) == own):
            self.revealed[own] = None

    def channel(self, shown: list[str]) -> TextChannel:
        return TextChannel(self, self._detectors, shown)

    def _make_room(self, text: str) -> None:
        """Forget what was made of earlier texts once they are many: a stream may go on without end."""
        self._kept += len(text) + _EACH
        if self._kept > MOST_KEPT:
            self._kept = len(text) + _EACH
            for memo in (self._seen, self._plain, self._hidden, *self._beside, self.told):
                memo.clear()

    def repeat(self, text: str, caller: str, shown: str) -> None:
        """Tell what was made of a text that arrived in pieces: told once more as a whole, it becomes the same."""
        self.told.add(shown)
        if text not in self._seen:
            self._make_room(text)
            self._seen[text] = caller, shown
            self._differs = self._differs or caller != shown


class TextChannel:
    """One text that arrives in pieces: gives the caller's text, puts the bystanders' aside."""

    def __init__(self, sight: Sight, detectors: Detectors, shown: list[str]) -> None:
        self._sight = sight
        self._names = sight.names.copy()
        self._scanner = detectors.scanner(self._names)
        self._shown = shown
        self._growing = Growing()
        self._detectors = detectors
        self._size = 0
        self._told: tuple[list[str], list[str], list[str]] | None = ([], [], [])
        """What came, what the caller got and what bystanders got, while it is short enough to be kept for a repeat."""

    @property
    def held(self) -> int:
        return self._growing.held + self._scanner.held

    def feed(self, text: str) -> str:
        return self._keep(text, "".join(map(self._part, self._growing.feed(text))))

    def close(self) -> str:
        rest = "".join(map(self._part, self._growing.close())) + self._out(self._scanner.close())
        self._keep("", rest)
        if self._told:
            came, caller, shown = map("".join, self._told)
            self._sight.repeat(came, caller, shown)
        return rest

    def _keep(self, text: str, out: str) -> str:
        self._size += len(text)
        if self._size > MOST_HELD:
            self._told = None
        if self._told:
            self._told[0].append(text)
            self._told[1].append(out)
        return out

    def _show(self, shown: str) -> None:
        self._shown.append(shown)
        if self._told:
            self._told[2].append(shown)

    def _part(self, part: str | Structure) -> str:
        if isinstance(part, str):
            return self._out(self._scanner.feed(part))
        before = self._out(self._scanner.close())
        caller, shown = self._sight.structure(part, self._names)
        self._scanner = self._detectors.scanner(self._names)
        self._show(shown)
        return before + caller

    def _out(self, pieces: list[Piece]) -> str:
        caller, shown = self._sight.render(pieces) if pieces else ("", "")
        if shown:
            self._show(shown)
        return caller


class HeldChannel(Held):
    """A text at, in or below which the policy's `fields` name something: nothing of it goes out before it is whole."""

    def __init__(self, sight: Sight, shown: list[str], way: tuple[str | int, ...], fields: Fields) -> None:
        super().__init__()
        self._sight, self._shown, self._way, self._fields = sight, shown, way, fields

    def _whole(self, text: str) -> str:
        caller, shown = self._sight.standing(self._way, text, self._fields)
        self._shown.append(str(shown))
        return str(caller)


def _standing(way: tuple[str | int, ...], node: Any) -> Any:
    """The smallest tree in which a value stands at a place."""
    for step in reversed(way):
        node = [None] * step + [node] if isinstance(step, int) else {step: node}
    return node


def _at(way: tuple[str | int, ...], node: Any) -> Any:
    for step in way:  # a name may have been masked: there is one only
        node = node[step] if isinstance(step, int) else next(iter(node.values()))
    return node
