"""Trains the tagger's model: python -m training.train [--help]; scripts/train sets up what it needs.

The same recipe, seed and trainer give the same file, byte for byte: examples come from a seeded generator, the trainer
(python-crfsuite, L-BFGS) runs in one thread, weights are rounded to whole numbers and written in sorted order.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pycrfsuite  # type: ignore[import-untyped]  # it carries no types

from phigate.masking.tagger import features, lexicon
from phigate.masking.tagger.model import FILE, LABELS, SCALE, Model, read, written
from phigate.masking.tagger.reader import Reader
from phigate.masking.tagger.tokens import split
from phigate.masking.tagger.words import BARRIER, MODE, START, STEP, Word
from training.generate import examples
from training.lexicon import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from phigate.masking.evidence import Hit
    from training.generate import Example

SEED = 20261125
COUNT = 45_000
SMALL = 400
"""Examples: of the shipped model, and of the quick check."""
OPTIONS = {
    "c1": 1.5,
    "c2": 0.05,
    "max_iterations": 120,
    "feature.minfreq": 4,
    "feature.possible_transitions": True,
}
BLIND, DEAF = 0.2, 0.12
"""Shares of names whose entry in the lexicon is withheld, and of words around that are made nameless."""
LEAST_TEMPLATES, LEAST_SEEN = 3, 12
"""A word is learned one by one when it stands outside of names in so many templates, so many times."""
LEAST_JOINED, LEAST_SHARE = 4, 0.1
"""A plain word may be part of a name when it was one so many times, and in such a share of all."""
LEAST_WEIGHT = 2
"""In parts of SCALE; a feature whose weights are all smaller is left out."""


class Run(NamedTuple):
    """One run of tokens as the trainer takes it."""

    rows: list[list[str]]
    labels: list[str]


class Learned(NamedTuple):
    vocabulary: list[str]
    joins: list[str]


def labelled(tokens: Sequence[str], spans: Iterable[tuple[int, int, str]]) -> list[str]:
    """The label of each token: of the span in which its first character stands."""
    labels, at, left = [], 0, sorted(spans)
    for raw in tokens:
        begin = at + len(raw) - len(raw.lstrip(" \t\u00a0"))
        at += len(raw)
        while left and left[0][1] <= begin:
            left.pop(0)
        labels.append(left[0][2] if left and left[0][0] <= begin else "O")
    return labels


SUBJECT = re.compile(
    r"(?<![\w'/-])(?:the patient|patient|pt|she|he|this patient)(?= (?:is|was|has|had|does|did|will|can|may|could|"
    r"would|feels|felt|said|lost|went|came|got|took|[a-z]{3,}(?:ies|es|ks|ts|ns|ds|ls|ms|ps|rs|ws|ys|ed))\b)",
    re.IGNORECASE,
)
"""Who does something in a sentence: where a name may stand as well."""
NAMED = 0.2
"""Share of the examples in which names are put there."""


EPONYM = re.compile(
    r"(?<=[a-z] )[A-Z][a-z]{3,}(?:-[A-Z][a-z]{3,})?(?=(?:['\u2019]s)? (?:signs?|test|score|scale|disease|syndrome|"
    r"reflex|criteria|index|classification|grade|stage|type|procedure|maneuver|position|catheter|tube|drain|clamp|retractor|fracture|nodes?|"
    r"palsy|contracture|phenomenon|thyroiditis|lymphoma|anemia|esophagus|cyst|tumor|hernia|stain|agar|rule|study|trial)\b)"
)
"""What is named after somebody, and is nobody's name."""
RENAMED, CASED_LOWER, CASED_UPPER = 0.6, 0.17, 0.15
"""Shares: of eponyms that get another name; of examples that come once more in small letters, in capitals."""


def varied(data: Iterable[Example], seed: int) -> Iterator[Example]:
    """The examples, some changed or given again: a subject that goes by a name, eponyms nobody has heard of, case."""
    chance = random.Random(f"{seed} varied")
    people, lasts = ["Maria"], ["Keller"]
    for given in data:
        example = given
        own = [example.text[begin:end] for begin, end, label in example.spans if label == "PERSON"]
        plain = [name.split() for name in own if "," not in name and name.replace(" ", "").isalpha()]
        people = [name[0] for name in plain if len(name[0]) > 2] or people
        lasts = [name[-1] for name in plain if len(name) > 1 and len(name[-1]) > 3 and name[-1].istitle()] or lasts
        if chance.random() < NAMED:
            example = _with_subjects(example, chance.choice(people), chance)
        if EPONYM.search(example.text):
            example = _with_eponyms(example, lasts, chance)
        yield example
        turn = chance.random()
        if turn < CASED_LOWER:
            yield example._replace(text=_each(example.text, str.lower))
        elif turn < CASED_LOWER + CASED_UPPER:
            yield example._replace(text=_each(example.text, str.upper))


def _each(text: str, change: Callable[[str], str]) -> str:
    """Character by character, where the change keeps it one."""
    whole = change(text)
    return whole if len(whole) == len(text) else "".join(change(one) if len(change(one)) == 1 else one for one in text)


def _with_eponyms(example: Example, lasts: Sequence[str], chance: random.Random) -> Example:
    def renamed(match: re.Match[str]) -> str:
        return chance.choice(lasts) if chance.random() < RENAMED else match[0]

    text, spans, at = "", [], 0
    for begin, end, label in [*sorted(example.spans), (len(example.text), len(example.text), "")]:
        text += EPONYM.sub(renamed, example.text[at:begin])
        if label:
            spans.append((len(text), len(text) + end - begin, label))
        text += example.text[begin:end]
        at = end
    return example._replace(text=text, spans=spans)


def _with_subjects(example: Example, name: str, chance: random.Random) -> Example:
    text, spans, at, left = "", [], 0, sorted(example.spans)
    for match in SUBJECT.finditer(example.text):
        begin, end = match.span()
        if any(one < end and begin < two for one, two, _ in left) or chance.random() < 0.4:
            continue
        shown = name.lower() if match[0].islower() and example.text.islower() else name
        shown = name.upper() if example.text.isupper() else shown
        moved = len(text) - at
        spans += [(one + moved, two + moved, label) for one, two, label in left if at <= one < begin]
        text += example.text[at:begin]
        spans.append((len(text), len(text) + len(shown), "PERSON"))
        text += shown
        at = end
    moved = len(text) - at
    spans += [(one + moved, two + moved, label) for one, two, label in left if one >= at]
    return example._replace(text=text + example.text[at:], spans=spans)


AFTER_A_PLACE = frozenset("clinic hospital center centre office campus practice branch hospice pharmacy lab".split())


def completed(tokens: Sequence[str], labels: list[str]) -> list[str]:
    """Places with the state behind them (`Dallas, TX`), and what is named by its place alone (`the Dallas clinic`)."""
    words = [raw.strip(" \t\u00a0.").casefold() for raw in tokens]
    states = [bool(lexicon.bits(word) & lexicon.STATE) for word in words] + [False] * 3
    done = list(labels)
    for at in range(len(words) - 1):
        if labels[at] != "LOCATION" or labels[at + 1] == "LOCATION":
            continue
        after = at + 1 + (words[at + 1] == ",")
        if after < len(words) and labels[after] == "O" and not tokens[after].startswith("\n"):
            two = after + 1 < len(words) and words[after] in {"new", "north", "south", "west", "rhode"}
            if states[after] or (two and states[after + 1]):
                done[at + 1 : after + 1 + two] = ["LOCATION"] * (after - at + two)
            elif after == at + 1 and words[after] in AFTER_A_PLACE:
                done[after] = "LOCATION"
    return done


def learned(data: Sequence[Example]) -> Learned:
    """Which words carry, and which plain words names are made of."""
    seen: Counter[str] = Counter()
    where: defaultdict[str, set[str]] = defaultdict(set)
    joined: Counter[str] = Counter()
    made: dict[str, Word] = {}
    for example in data:
        tokens = split(example.text)
        state = START
        for raw, label in zip(tokens, labelled(tokens, example.spans), strict=True):
            word = made.get(raw) or made.setdefault(raw, Word(raw))
            state = STEP[state][word.event]
            if label == "O":
                if features.may_be_learned(word):
                    seen[word.base] += 1
                    where[word.base].add(example.template)
            elif word.base.isalpha() and word.kinds[MODE[state]] == BARRIER:
                joined[word.base] += 1
    words = [
        word for word, count in seen.items() if count >= LEAST_SEEN and len(where[word]) >= LEAST_TEMPLATES and word
    ]
    joins = [
        word for word, count in joined.items() if count >= LEAST_JOINED and count >= LEAST_SHARE * (count + seen[word])
    ]
    return Learned(sorted(words), sorted(joins))


class Collector(Reader):
    """A reader that writes down what it would have decided."""

    def __init__(self, model: Model, labels: list[str], lines: Lines) -> None:
        super().__init__(model)
        self._labels, self._lines = labels, lines
        self.runs: list[Run] = []

    def decide(self, first: int, end: int, hits: list[Hit]) -> None:
        del hits
        words, modes = self._words, self._modes
        rows = []
        for at in range(first, end):
            row = [*self._lines.local(words[at], modes[at])]
            for place in features.PLACES:
                row += self._lines.near(words[at + place], place)
            row += [f"{table}{key}" for table, key in features.pairs(words, at) if key or table != "D"]
            rows.append(row)
        self.runs.append(Run(rows, self._labels[first - 3 : end - 3]))

    def collected(self, words: list[Word]) -> list[Run]:
        self.walk(words)
        self.close()
        return self.runs


class Lines:
    """Features of words, as the trainer takes them; each made once."""

    def __init__(self) -> None:
        self._local: dict[tuple[int, int], list[str]] = {}
        self._near: dict[tuple[int, int], list[str]] = {}

    def local(self, word: Word, mode: int) -> list[str]:
        key = id(word), mode
        return self._local.get(key) or self._local.setdefault(key, list(features.local(word, mode)))

    def near(self, word: Word, place: int) -> list[str]:
        key = id(word), place
        return self._near.get(key) or self._near.setdefault(key, list(features.near(word, place)))


class Sight:
    """Words as training sees them: at times without what the lexicon or the vocabulary knows."""

    def __init__(self, model: Model, learnt: Learned, seed: int) -> None:
        self._model, self._joins = model, frozenset(learnt.joins)
        self._made: dict[tuple[str, bool, bool], Word] = {}
        self._chance = random.Random(seed)

    def word(self, raw: str, *, blind: bool, deaf: bool) -> Word:
        key = raw, blind, deaf
        word = self._made.get(key)
        if word is None:
            word = self._model.made(Word(raw, blind=blind, joins=self._joins))
            if deaf:
                word.cid = 0
            self._made[key] = word
        return word

    def words(self, tokens: Sequence[str], labels: Sequence[str], *, dropout: bool = True) -> list[Word]:
        chance = self._chance.random
        words, blind, before = [], False, "O"
        for raw, label in zip(tokens, labels, strict=True):
            if label != "O":
                if before != label:
                    blind = chance() < BLIND
                now = (blind and label == "PERSON") or chance() < BLIND / 4
            else:
                share = BLIND if raw.isupper() else BLIND / 2 if raw.lstrip()[:1].isupper() else BLIND / 10
                now = raw[-1:].isalpha() and chance() < share
            before = label
            words.append(self.word(raw, blind=dropout and now, deaf=dropout and label == "O" and chance() < DEAF))
        return words


def trained(
    data: Sequence[Example], seed: int, *, say: Callable[[str], None], options: dict[str, Any] | None = None
) -> bytes:
    """The model's file for these examples."""
    learnt = learned(data)
    say(f"{len(learnt.vocabulary)} words, {len(learnt.joins)} joins")
    bare = Model({"vocabulary": learnt.vocabulary, "joins": learnt.joins, "transitions": [0] * 16}, {})
    sight, lines = Sight(bare, learnt, seed), Lines()
    settings = {**OPTIONS, **(options or {})}
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False, params=settings)
    runs = tokens_in_runs = tokens_at_all = lost = named = 0
    for example in data:
        tokens = split(example.text)
        labels = completed(tokens, labelled(tokens, example.spans))
        tokens_at_all += len(tokens)
        inside = 0
        for run in Collector(bare, labels, lines).collected(sight.words(tokens, labels)):
            trainer.append(run.rows, run.labels)
            runs += 1
            tokens_in_runs += len(run.labels)
            inside += sum(label != "O" for label in run.labels)
        total = sum(label != "O" for label in labels)
        named += total
        lost += total - inside
    say(f"{runs} runs, {tokens_in_runs} of {tokens_at_all} tokens; {lost} of {named} tokens of names outside of runs")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        info = tagger.info()
        state, moves = info.state_features, info.transitions
    weights: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (name, label), weight in state.items():
        weights[name][label] = weight
    whole = {}
    for name, by_label in weights.items():
        by_o = by_label.get("O", 0.0)
        person, location, organization = (round((by_label.get(label, 0.0) - by_o) * SCALE) for label in LABELS[1:])
        if max(abs(person), abs(location), abs(organization)) >= LEAST_WEIGHT:
            whole[name] = person, location, organization
    say(f"{len(whole)} features of {len(weights)}")
    head = {
        "seed": seed,
        "count": len(data),
        "recipe": recipe(data, settings),
        "trainer": f"python-crfsuite {importlib.metadata.version('python-crfsuite')}",
        "labels": LABELS,
        "scale": SCALE,
        "transitions": [round(moves.get((one, two), 0.0) * SCALE) for one in LABELS for two in LABELS],
        "vocabulary": learnt.vocabulary,
        "joins": learnt.joins,
    }
    return written(head, whole)


def recipe(data: Iterable[Example], options: dict[str, Any]) -> str:
    """SHA-256 over what the model is made from: every text with its names, and how the trainer is set."""
    digest = hashlib.sha256(repr(sorted(options.items())).encode())
    for example in data:
        digest.update(repr((example.text, example.spans)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class Counts(NamedTuple):
    found: int = 0
    missed: int = 0
    wrong: int = 0

    def plus(self, other: Counts) -> Counts:
        return Counts(*(mine + its for mine, its in zip(self, other, strict=True)))

    def __str__(self) -> str:
        recall = self.found / max(1, self.found + self.missed)
        precision = self.found / max(1, self.found + self.wrong)
        f2 = 5 * precision * recall / max(1e-9, 4 * precision + recall)
        return f"recall {recall:.4f}  precision {precision:.4f}  F2 {f2:.4f}  ({self.found + self.missed})"


def evaluated(model: Model, data: Iterable[Example], counts: defaultdict[str, Counts], least: float = 0.5) -> None:
    """Adds to the counts by label; found is what is covered by 95 % of its letters and digits, whatever the label."""
    for example in data:
        reader = Reader(model)
        hits = [hit for hit in reader.feed(example.text) + reader.close() if hit.score >= least]
        covered = bytearray(len(example.text))
        named = bytearray(len(example.text))
        for hit in hits:
            covered[hit.begin : hit.end] = b"\1" * (hit.end - hit.begin)
        for begin, end, label in example.spans:
            named[begin:end] = b"\1" * (end - begin)
            places = [at for at in range(begin, end) if example.text[at].isalnum()]
            found = sum(covered[at] for at in places) >= 0.95 * len(places)
            counts[label] = counts[label].plus(Counts(found, not found))
            counts[example.kind] = counts[example.kind].plus(Counts(found, not found))
        for hit in hits:
            if not any(named[hit.begin : hit.end]):
                counts[hit.entity] = counts[hit.entity].plus(Counts(wrong=1))
                counts[example.kind] = counts[example.kind].plus(Counts(wrong=1))


def cross_validate(folds: int, count: int, seed: int, say: Callable[[str], None]) -> None:
    """By template: what is judged was generated from templates that the model never saw, with names of another seed."""
    counts: defaultdict[str, Counts] = defaultdict(Counts)
    data = list(varied(examples(seed, count), seed))
    other = list(varied(examples(seed + 1, count // 2), seed + 1))
    for fold in range(folds):
        mine = [example for example in data if _fold(example.template, folds) != fold]
        theirs = [example for example in other if _fold(example.template, folds) == fold]
        model = read(trained(mine, seed, say=say))
        evaluated(model, theirs, counts)
        say(f"fold {fold + 1} of {folds}: {len(mine)} examples learned, {len(theirs)} judged")
    for label in sorted(counts):
        print(f"{label:<14} {counts[label]}")


def _fold(template: str, folds: int) -> int:
    return int(hashlib.sha256(template.encode()).hexdigest(), 16) % folds


def know_less() -> None:
    """From here on the lexicon lacks what is kept from the model while it learns (see lexicon.withheld)."""
    known = build(withhold=True)
    lexicon.table = lambda: known  # type: ignore[assignment]  # the same without a cache to clear


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/train", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say whether the file comes out the same")
    parser.add_argument("--small", action="store_true", help="a small model, twice, instead of the shipped one")
    parser.add_argument("--cross-validate", type=int, metavar="FOLDS", help="judge the recipe by template")
    parser.add_argument("--count", type=int, default=COUNT, help="examples")
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    start = time.perf_counter()
    know_less()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - start:6.1f} s  {text}", file=sys.stderr, flush=True)

    if given.cross_validate:
        cross_validate(given.cross_validate, given.count, SEED, say)
        return 0
    count = SMALL if given.small else given.count
    content = trained(list(varied(examples(SEED, count), SEED)), SEED, say=say)
    digest = hashlib.sha256(content).hexdigest()
    say(f"{len(content)} bytes, sha256 {digest}")
    if given.small:
        again = trained(list(varied(examples(SEED, count), SEED)), SEED, say=say)
        same = again == content
    elif given.check:
        same = FILE.read_bytes() == content
    else:
        given.out.write_bytes(content)
        return 0
    print("the same, byte for byte" if same else "not the same")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
