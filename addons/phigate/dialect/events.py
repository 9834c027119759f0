"""Streams of events that each carry pieces of several texts: which piece belongs to which text, and how it goes out.

What a dialect's stream looks like is a table: for each kind of event, whose text it carries (a choice, a block), and
which events end a text. Every string of an event that is neither a constant nor told whole is a piece of a channel
(whose, path); a field that a server invents tomorrow is a channel of its own. Lists are told apart by their items' own
`index`. A channel gives out text when it is decided, and the rest when its text ends: in the event that ends it, or in
an event of its own before that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phigate.dialect.channels import Channel, ChunkError, Either, Growing, JoinedJson, Labelled
from phigate.dialect.tree import (
    MAX_DEPTH,
    NAME,
    TELLING,
    constant,
    counts,
    document,
    number,
    plain,
    rewrite,
    said_of,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping

    from phigate.dialect.channels import Twice
    from phigate.dialect.tree import Fields

_MAX_CHANNELS = 4096
"""Texts that one stream may carry in all; each holds back some."""
_REMEMBERED = 200
"""Characters of a constant's pieces that are kept to be looked at together."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """How one kind of event is read."""

    each: str | None = None
    """The member that lists what speaks apart, by its items' `index` (choices)."""
    whose: tuple[str, ...] = ()
    """The members that say whose text it is (`a.b`: a member of a member), where the event as a whole speaks."""
    under: str | None = None
    """The member below which a text's place counts: events that carry it at different depths mean the same text."""
    channel: str = ""
    """The name of a text that kinds share."""
    over: tuple[str, ...] = ()
    """The members that say, when they say something, that the texts end: of the item, or of the whole event (`a.b` is a
    member's member; one that is `told` may be the text as a whole)."""
    ends: str = ""
    """An event of this kind ends texts whatever its members: those of the same `whose`, those `under` it (whose `whose`
    begins like it, in any channel), or `all`."""
    again: bool = False
    """The texts that ended may be told anew afterwards."""
    whole: bool = False
    """Texts are not told in pieces."""
    told: frozenset[str] = frozenset()
    """The keys whose text is whole in any event."""
    grows: frozenset[str] = frozenset()
    """The keys whose text is told anew and longer each time."""
    either: bool = False
    """Servers tell pieces, or all of it anew each time."""
    alike: bool = False
    """An event that carries the rest of a text is as the last one, with no other text in it."""
    json: frozenset[str] = frozenset()
    """The keys whose pieces join to JSON."""
    begins: Mapping[Path, tuple[str, Mapping[str, Any], Path]] = MappingProxyType({})
    """The places at which a text may begin in such an event, each with the event in which its rest is told: its kind,
    its members beside those that say whose it is, and the text's path; all other texts of such an event are whole."""
    texts: frozenset[str] = frozenset()
    """Keys under which nothing but text may stand: some clients join whatever does."""
    bare: tuple[str, ...] = ()
    """The steps to a member that says nothing in such an event: texts in it would join with later pieces."""
    keep: frozenset[str] = frozenset({"index", "type"})
    """The members that every event of a text repeats."""
    fails: bool = False
    """Nothing follows."""
    tells_error: bool = False
    """The event's error is one after which others follow."""
    opaque: bool = False
    """Content that cannot be read: all of the event, or its members `raw` where there are any."""
    raw: frozenset[str] = frozenset()
    silent: str | None = None
    """The member that says, where it is true, that what stands beside it is a mark (`</s>`) and no piece of any text:
    such strings go out empty."""
    at: tuple[str, ...] = ()
    """Where a whole answer has what the event carries: names of steps, those of `whose` stand for what they say."""
    ways: Mapping[Path, Path] = MappingProxyType({})
    """The places that a whole answer has elsewhere below that."""


@dataclass(frozen=True, slots=True)
class Stream:
    """How a streamed answer is read: its media type, its kinds of events, and how it is written anew."""

    media: str
    events: Mapping[str, Event]
    """By kind; an event of a kind that is not here is an error."""
    failure: Callable[[str, str], tuple[str, dict[str, Any]]]
    """Makes the event that ends a stream which the gateway breaks off, from (code, message)."""
    kind: str = ""
    """The member that names an event's kind; without one an event is of the kind ""."""
    named: bool = False
    """The kind is written as the event's name, too."""
    done: str = ""
    """The text that ends the stream where it is no event."""
    counted: str = ""
    """The member that numbers the events, with `counts_as` before the number where it is a text."""
    counts_as: str = ""
    goes_on: bool = False
    """An `error` is one message among others."""
    ids: re.Pattern[str] | None = None
    """The form in which a server names its events, which no model writes."""

    def kind_of(self, event: dict[str, Any]) -> str:
        kind = event.get(self.kind, "") if self.kind else ""
        return kind if isinstance(kind, str) else "\0"


@dataclass(slots=True)
class _Open:
    """A text that is not over: its channel, and the last event that carried a piece of it, to make others like it."""

    channel: Channel
    entry: Event
    kind: str
    event: dict[str, Any]
    path: Path


@dataclass(slots=True)
class _Speaker:
    """What speaks in one event while it is walked: a choice, a block, or all of it."""

    entry: Event
    kind: str
    event: dict[str, Any]
    whose: Path
    base: int
    """Steps of a path that stand before those which tell this speaker's texts apart."""
    over: bool = False
    says: bool = False
    """Whether anything is told beside pieces of texts."""
    swallowed: bool = False
    fed: set[Path] = field(default_factory=set)


class Events:
    """Rewrites one stream's events; `channel` makes the channel of a text.

    `twice` masks at once what is no piece of a text, for the caller and for everyone else: it is told how a rendering
    is used. `look` masks what is no text of the model's (constants, keys) and leaves no trace of it.
    Two look at places in a whole answer: `special` makes the channel of a text that is not as any other, `said` gives
    what is made of a value that is no piece of a text (None: it is as any other).
    """

    def __init__(  # noqa: PLR0917 -- what is made of each kind of content, the common ones first
        self,
        stream: Stream,
        fields: Fields,
        channel: Callable[[], Channel],
        twice: Twice,
        look: Callable[[str], str],
        special: Callable[[Path], Channel | None] = lambda _way: None,
        said: Callable[[Path, Any], tuple[Any] | None] = lambda _way, _value: None,
        *,
        opaque: bool = False,
    ) -> None:
        self._stream, self._fields = stream, fields
        self._new, self._special, self._said = channel, special, said
        self._twice, self._look, self._opaque = twice, look, opaque
        self._texts: dict[Path, dict[Path, _Open]] = {}
        self._made = self._sent = 0
        self._over: set[Path] = set()
        self._begun: dict[Path, set[Path]] = {}
        """Who has begun, and what of it was told whole."""
        self._constants: dict[tuple[Path, Path], str] = {}
        self._placed = any(entry.at for entry in stream.events.values())
        self._told_at: set[Path] = set()
        """Where texts stand that were told whole: none of them goes on in pieces."""
        self._failed = False

    def feed(self, event: Any) -> list[tuple[str, dict[str, Any]]]:
        """The (kind, event) to send for this one, in order; raises ChunkError on what the dialect does not know."""
        if not isinstance(event, dict):
            raise ChunkError("not an object")
        if self._failed:
            return []
        kind = self._stream.kind_of(event)
        entry = self._stream.events.get(kind)
        if self._stream.counts_as and self._stream.counted in event:
            event = {**event, self._stream.counted: 0}  # ours takes its place
        lasting = self._stream.goes_on or (entry is not None and entry.tells_error)
        if (event.get("error") is not None and not lasting) or (entry and entry.fails):
            return self._failure(kind, event)
        if entry is None:
            raise ChunkError("a kind of event that nobody knows")
        if entry.opaque:
            return self._unread(kind, event)
        if entry.bare and _at(event, entry.bare):
            raise ChunkError("a text before its place")
        if entry.whole:
            return [*self._ended(entry, event), self._out(kind, self._whole(event, entry))]
        return self._spoken(kind, entry, event)

    @property
    def held(self) -> int:
        """Characters of all texts, about, that are held back."""
        return sum(text.channel.held for texts in self._texts.values() for text in texts.values())

    def close(self) -> list[tuple[str, dict[str, Any]]]:
        """What is still held back when the stream ends."""
        return [sent for whose in list(self._texts) for sent in self._flush(whose)]

    # -- events that tell something whole ---------------------------------------------------------------------------

    def _failure(self, kind: str, event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """An error ends it: what was held back is gone, and with it what its rest would be read with."""
        self._failed = True
        self._texts.clear()
        told = {key: value for key, value in event.items() if key in self._fields.constant or key in _ERROR}
        return [self._out(kind, self._whole(told))]

    def _unread(self, kind: str, event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        if not self._opaque:
            raise ChunkError("content that cannot be read")
        raw = self._stream.events[kind].raw
        if not raw:
            return [self._out(kind, event)]
        told = self._whole({key: value for key, value in event.items() if key not in raw})
        return [self._out(kind, told | {key: event[key] for key in event.keys() & raw})]

    def _whole(self, event: dict[str, Any], entry: Event | None = None) -> dict[str, Any]:
        standing = self._standing(entry, event) if entry else {}
        rest = {key: value for key, value in event.items() if key not in standing} if standing else event
        made = self._twice(partial(rewrite, rest, self._fields))
        if "usage" in made:
            made["usage"] = counts(made["usage"])
        return dict(made) | standing

    def _standing(self, entry: Event, event: dict[str, Any]) -> dict[str, Any]:
        """The members of an event that stand at a place of a whole answer of which something is said."""
        found = {}
        told = {entry.under: event[entry.under]} if entry.under and entry.under in event else event
        for key, value in told.items():
            way = self._place(entry, event, (key,))
            if self._placed and entry.ends != "all":
                self._told_at.update(_texts_at(way, value))
            if key not in self._fields.drop and key not in self._fields.blank and (said := self._said(way, value)):
                found[key] = said[0]
        return found

    def _ended(self, entry: Event, event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The rest of the texts that an event of this kind ends, before it."""
        if not entry.ends:
            return []
        return self._close(entry, _whose(entry, event))

    def _close(self, entry: Event, whose: Path) -> list[tuple[str, dict[str, Any]]]:
        ended = [whose]
        if entry.ends == "all":
            ended = list(self._texts)
        elif entry.ends == "under":
            ended = [each for each in self._texts if each[1 : len(whose) + 1] == whose]
        if not entry.again:
            self._over.update(ended)
        return [sent for each in ended for sent in self._flush(each)]

    # -- events that carry pieces -----------------------------------------------------------------------------------

    def _spoken(self, kind: str, entry: Event, event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        each = entry.each
        if each is None:
            whose = _whose(entry, event)
            if entry.begins:
                self._begin(whose)
            speaker = _Speaker(entry, kind, event, whose, 0, over=bool(entry.ends) or _says_over(entry, event))
            made, speakers = self._frame(speaker, event), [speaker]
        else:
            frame = _Speaker(entry, kind, event, (), 0)
            made = self._frame(frame, {key: value for key, value in event.items() if key != each})
            speakers = [frame]
            if each in event:
                made[each] = self._items(kind, entry, event, speakers)
        before = [sent for speaker in speakers if speaker.over for sent in self._end(speaker)]
        tells = bool(entry.begins) or any(speaker.says or speaker.over for speaker in speakers)
        if not tells and any(speaker.swallowed for speaker in speakers):
            return before
        return [*before, self._out(kind, made)]

    def _begin(self, whose: Path) -> None:
        if whose in self._begun or len(self._begun) >= _MAX_CHANNELS:
            raise ChunkError("begun twice")
        self._begun[whose] = set()

    def _items(self, kind: str, entry: Event, event: dict[str, Any], speakers: list[_Speaker]) -> list[Any]:
        each = str(entry.each)
        items = event[each] if event[each] is not None else []
        if not isinstance(items, list) or any(not isinstance(item, dict) for item in items):
            raise ChunkError(each)
        made = []
        for item in items:
            index = _index(item.get("index") or 0)
            speaker = _Speaker(entry, kind, event, (each, index), 2, over=_says_over(entry, item))
            node = self._walk(speaker, (each, index), item)
            speakers.append(speaker)
            if speaker.says or speaker.over or not speaker.swallowed:
                made.append(node)
        return made

    def _frame(self, speaker: _Speaker, event: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for key, value in event.items():
            if not self._kept(key):
                continue
            if key == "usage":
                made[key] = counts(self._twice(partial(rewrite, value, self._fields)))
                speaker.says = True
            elif key in self._fields.constant and plain(value):
                made[key] = self._joined(speaker, (key,), value)
            else:
                made[key] = self._member(speaker, (), key, value)
        return made

    def _end(self, speaker: _Speaker) -> list[tuple[str, dict[str, Any]]]:
        """The rest of the texts of a speaker that ends and said nothing of them in the event that ends it."""
        return self._close(speaker.entry, speaker.whose)

    def _walk(self, speaker: _Speaker, path: Path, node: Any) -> Any:
        if len(path) > MAX_DEPTH:
            raise ChunkError("nested too deep")
        if isinstance(node, str):
            if speaker.entry.begins and _place_of(speaker, path) not in speaker.entry.begins:
                return self._told(speaker, path, node)
            return self._piece(speaker, path, node)
        if isinstance(node, dict):
            silent = speaker.entry.silent is not None and node.get(speaker.entry.silent) is True
            return {
                key: "" if silent and isinstance(value, str) else self._member(speaker, path, key, value)
                for key, value in node.items()
                if self._kept(key)
            }
        if isinstance(node, list):
            return [self._walk(speaker, (*path, _place(item, at)), item) for at, item in enumerate(node)]
        said = self._said(self._way(speaker, path), node)
        key = self._label(speaker.event, path)
        return said[0] if said else self._twice(lambda render: number(node, render, key))

    def _kept(self, key: str) -> bool:
        """A key that is no field's name would be text of its own, given out piece by piece."""
        return (
            key not in self._fields.drop
            and (key in self._fields.known or bool(NAME.match(key)))
            and (not TELLING.search(key) or self._look(key) == key)
        )

    def _member(self, speaker: _Speaker, path: Path, key: str, value: Any) -> Any:
        here = (*path, key)
        if key in speaker.entry.texts and value is not None and not isinstance(value, str):
            raise ChunkError(key)
        if self._fields.formed(key, value):
            return value
        if key in self._fields.blank:
            return self._fields.blank[key]
        if key in speaker.entry.told and value is not None:
            if key in speaker.entry.over and speaker.whose in self._over:
                raise ChunkError("text after the end")
            return self._told(speaker, here, value)
        whole = key in self._fields.json and not isinstance(value, str)
        fixed = self._fixed(here) and plain(value)
        if whole or fixed or isinstance(value, int | float):
            speaker.says = speaker.says or (value is not None and key not in speaker.entry.keep)
            if said := self._said(self._way(speaker, here), value):
                return said[0]
            if fixed:
                return self._joined(speaker, here, value)
            label = key if whole else self._label(speaker.event, here)
            return self._twice(lambda render: (document if whole else number)(value, render, label))
        return self._walk(speaker, here, value)

    def _fixed(self, path: Path) -> bool:
        """Whether a constant stands at a path: not in what has a name beside it, which is somebody's own."""
        return path[-1] in self._fields.constant and self._fields.named.keys().isdisjoint(path)

    def _told(self, speaker: _Speaker, path: Path, value: Any) -> Any:
        """A value that is no piece of anything."""
        speaker.says = True
        if speaker.entry.begins:
            self._begun[speaker.whose].add(_place_of(speaker, path))
        if said := self._said(self._way(speaker, path), value):
            return said[0]
        key = path[-1]
        if isinstance(key, int):
            return self._twice(partial(rewrite, value, self._fields))
        return self._twice(lambda render: rewrite({key: value}, self._fields, render)[key])

    def _joined(self, speaker: _Speaker, path: Path, value: Any) -> Any:
        """A constant of a stream: clients join strings, so one that changes must not join to an identifier.

        A name, which a model writes, does not change at all: its first letters would be out before it tells anything.
        """
        if not isinstance(value, str) or not value or path == (self._stream.kind,):
            return value
        place = (speaker.whose, _place_of(speaker, path))
        self._look_back(speaker, place[1])
        before = self._constants.get(place, "")
        if value != before:
            joined = (before + value)[-_REMEMBERED:]
            named = path[-1] == "name" and speaker.entry.each is not None
            if before and (named or constant(joined, self._look, path[-1]) != joined):
                raise ChunkError("a constant in pieces")
            self._constants[place] = joined
        return constant(value, self._look, path[-1])

    def _piece(self, speaker: _Speaker, path: Path, text: str) -> str:
        place = _place_of(speaker, path)
        if not text and (not speaker.over or place not in self._texts.get(speaker.whose, {})):
            return text
        out = self._feed(speaker, place, path, text) if text else ""
        if speaker.over:
            open_ = self._texts[speaker.whose].pop(place)
            rest = open_.channel.close()
            out = rest if _tells_all(open_.channel) else out + rest
        if out:
            speaker.says = True
        else:
            speaker.swallowed = True
        return out

    def _feed(self, speaker: _Speaker, place: Path, path: Path, text: str) -> str:
        if speaker.whose in self._over:
            raise ChunkError("text after the end")
        self._look_back(speaker, place)
        texts = self._texts.setdefault(speaker.whose, {})
        open_ = texts.get(place)
        if open_ is None:
            if speaker.entry.at and self._way(speaker, path) in self._told_at:
                raise ChunkError("a text that was told whole goes on")
            self._made += 1
            if self._made > _MAX_CHANNELS:
                raise ChunkError("too many channels")
            channel = self._special(self._way(speaker, path)) or self._usual(speaker, path)
            texts[place] = open_ = _Open(channel, speaker.entry, speaker.kind, speaker.event, path)
        else:
            open_.entry, open_.kind, open_.event, open_.path = speaker.entry, speaker.kind, speaker.event, path
        if place in speaker.entry.begins:
            open_.kind, members, open_.path = speaker.entry.begins[place]
            who = {key: speaker.event[key] for key in speaker.entry.whose if key in speaker.event}
            open_.event = {self._stream.kind: open_.kind, **who, **members}
        return open_.channel.feed(text)

    def _look_back(self, speaker: _Speaker, place: Path) -> None:
        """Raise where a piece, or a constant, stands at a place of which something was told whole when it began."""
        begun = self._begun.get(speaker.whose)
        if begun and not speaker.entry.begins and any(place[:end] in begun for end in range(1, len(place) + 1)):
            raise ChunkError("a piece of what was whole")

    def _usual(self, speaker: _Speaker, path: Path) -> Channel:
        entry, key = speaker.entry, self._label(speaker.event, path)
        if key in entry.json or key in self._fields.json:
            return JoinedJson(self._twice)
        if key in entry.grows:
            return Growing(self._new())
        channel = self._new() if not key or key in self._fields.prose else Labelled(self._twice, key)
        return Either(channel) if entry.either else channel

    def _label(self, event: dict[str, Any], path: Path) -> str:
        """What says what stands at a path: the key of the member that lists it, or what stands beside that."""
        key = next((step for step in reversed(path) if isinstance(step, str)), "")
        return self._beside(event, path, self._fields.named[key]) if key in self._fields.named else key

    def _beside(self, node: Any, path: Path, sibling: str) -> str:
        """What the member beside a text says of it."""
        before: Any = None
        for step in path[: max(at for at, step in enumerate(path, 1) if isinstance(step, str))]:
            before = node
            if isinstance(node, list):
                node = next((item for at, item in enumerate(node) if _place(item, at) == step), None)
            else:
                node = node.get(step) if isinstance(node, dict) else None
        return said_of(before.get(sibling), self._fields) if isinstance(before, dict) else ""

    @staticmethod
    def _way(speaker: _Speaker, path: Path) -> Path:
        """Where a whole answer has what stands at a path of an event."""
        entry, below = speaker.entry, path[speaker.base :]
        if entry.each:
            return (*path[: speaker.base], *("message" if step == "delta" else step for step in below))
        return Events._place(entry, speaker.event, below)

    @staticmethod
    def _place(entry: Event, event: dict[str, Any], below: Path) -> Path:
        if below[:1] == (entry.under,):
            below = below[1:]
        known = (*entry.at, *entry.ways.get(below, ()))
        at = (event.get(step) or 0 if step in entry.whose else step for step in known)
        return (*(step for step in at if isinstance(step, str | int)), *(() if below in entry.ways else below))

    # -- what is sent -----------------------------------------------------------------------------------------------

    def _flush(self, whose: Path) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for open_ in self._texts.pop(whose, {}).values():
            if rest := open_.channel.close():
                make = self._alike if open_.entry.alike else partial(self._nest, open_.entry, top=True)
                made = make(open_.event, open_.path, rest)
                if open_.entry.each:  # clients go through the list of every event
                    made.setdefault(open_.entry.each, [])
                if self._stream.counts_as and self._stream.counted in open_.event:
                    made[self._stream.counted] = 0
                found.append(self._out(open_.kind, made))
        return found

    def _alike(self, event: dict[str, Any], path: Path, text: str) -> Any:
        """The same event with `text` at `path`, and nothing in the place of any other text."""

        def copied(node: Any, here: Path) -> Any:
            if here == path:
                return text
            if isinstance(node, dict):
                blank, kept = self._fields.blank, (key for key in node if self._kept(key))
                return {key: blank[key] if key in blank else copied(node[key], (*here, key)) for key in kept}
            if isinstance(node, list):
                placed = ((_place(item, at), item) for at, item in enumerate(node))
                return list({place: copied(item, (*here, place)) for place, item in placed}.values())
            if self._fixed(here) and plain(node):
                return constant(node, self._look, here[-1])
            return "" if isinstance(node, str) else number(node, self._look, self._label(event, here))

        return copied(event, ())

    def _nest(self, entry: Event, node: Any, path: Path, text: str, *, top: bool = False) -> Any:
        """The smallest event like `node` that carries `text` at `path`."""
        if not path:
            return text
        step, rest = path[0], path[1:]
        if isinstance(step, int):
            items = node if isinstance(node, list) else []
            item = next((item for at, item in enumerate(items) if _place(item, at) == step), None)
            inner = self._nest(entry, item, rest, text)
            return [{"index": step, **inner} if isinstance(inner, dict) else inner]
        kept = self._fields.constant if top else entry.keep
        members = node if isinstance(node, dict) else {}
        made = {
            key: self._fields.blank[key] if key in self._fields.blank else constant(value, self._look, key)
            for key, value in members.items()
            if key in kept and key != step and plain(value)
        }
        made |= {key: value for key, value in members.items() if self._fields.formed(key, value)}
        if top:
            made |= {key: self._fields.blank[key] for key in members if key in self._fields.blank and key != step}
        if entry.each and len(path) > 1 and entry.over and not top and step not in entry.over:
            made |= {key: None for key in entry.over if key in members}
        return made | {step: self._nest(entry, members.get(step), rest, text)}

    def _out(self, kind: str, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        counted = self._stream.counted
        if counted and counted in event:
            prefix = self._stream.counts_as
            event[counted] = f"{prefix}{self._sent}" if prefix else self._sent
            self._sent += 1
        return kind, event


_ERROR = frozenset({"error", "message", "code", "detail", "error_type", "param"})
"""What an event that tells an error may carry beside constants."""


def _at(node: Any, steps: Path) -> Any:
    for step in steps:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _tells_all(channel: Channel) -> bool:
    """Whether what a channel gives out begins with all it gave out before."""
    return isinstance(channel, Growing) or (isinstance(channel, Either) and channel.grows)


def _texts_at(way: Path, node: Any) -> Iterator[Path]:
    """Where in a value that stands at a place texts are."""
    if isinstance(node, str) and node:
        yield way
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts_at((*way, key), value)
    elif isinstance(node, list):
        for at, item in enumerate(node):
            yield from _texts_at((*way, at), item)


def _whose(entry: Event, event: dict[str, Any]) -> Path:
    who: list[str | int] = [entry.channel] if entry.channel else []
    for key in entry.whose:
        value = _member_at(event, key)
        if isinstance(value, str) and plain(value) and not key.endswith("index"):  # "0" is 0 to some clients
            who.append(value)
        else:
            who.append(_index(value or 0))
    return tuple(who)


def _member_at(event: dict[str, Any], key: str) -> Any:
    """A member of an event; `a.b` is a member of a member."""
    node: Any = event
    for step in key.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _says_over(entry: Event, node: dict[str, Any]) -> bool:
    """Whether an event, or an item of one, says that its texts end; raises ChunkError where that is no constant."""
    over = False
    for key in entry.over:
        reason: Any = node
        for step in key.split("."):
            reason = reason.get(step) if isinstance(reason, dict) else None
        if reason is None or reason is False:
            continue
        if isinstance(reason, str) and not plain(reason) and key not in entry.told:
            raise ChunkError(key)
        over = over or bool(reason) or key in entry.told
    return over


def _place_of(speaker: _Speaker, path: Path) -> Path:
    below = path[speaker.base :]
    return below[1:] if speaker.entry.under and below[:1] == (speaker.entry.under,) else below


def _index(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MAX_CHANNELS:
        raise ChunkError("index")
    return value


def _place(item: Any, position: int) -> int:
    own = item.get("index") if isinstance(item, dict) else None
    return position if own is None else _index(own)
