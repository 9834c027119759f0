"""A dialect's answers through the masks, whole and streamed: what a caller gets, what bystanders see."""

import itertools
import json

import orjson

from phigate.dialect.codecs import JSON
from phigate.masking import Detectors, Memory, Secrets, Sight, Transformer
from phigate.masking.answer import MaskedStream
from phigate.masking.answer import whole as whole_of
from phigate.policy.masks import Mask, Transform
from tests.traffic import CANARIES

DETECTORS = Detectors()
SECRETS = Secrets(key=b"k" * 32, epoch="1")
REDACT = Mask("redact", {"OTHER": Transform("redact")})


def sight(paths=None):
    redact = Transformer(REDACT, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, redact, redact, Memory(), paths)


def whole(tree, dialect, paths=None):
    """(tree for the caller, tree for bystanders, usage) of a whole answer."""
    body, _, shown, usage = whole_of(orjson.dumps(tree), sight(paths), dialect, JSON, {})
    return json.loads(body), shown, usage


def streamed(parts, dialect, stream, paths=None, **more):
    """(bytes for the caller, text for bystanders) of a stream that arrives in these parts."""
    masked = MaskedStream(sight(paths), dialect, stream, **more)
    out = b"".join(map(masked.feed, parts)) + masked.finish()
    return out, masked.take_shown()


def asked(tree, fields):
    """A request as it goes on where the prompt is masked."""
    redact = Transformer(REDACT, SECRETS, "ada")
    seen = Sight(DETECTORS, SECRETS, redact, redact)
    seen.study(tree, fields)
    return seen.tree_for_caller(tree, fields)


def pieces(text, step):
    return [text[at : at + step] for at in range(0, len(text), step)]


def sse(*events):
    """Events of a kind, as servers write them that name them."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def events_in(raw):
    """(name, tree) of every event of a stream, read as browsers do."""
    found = []
    for block in raw.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":") and ": " in line)
        if "data" in lines:
            found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def cut(data, places):
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(marks)]


def traces(found):
    """Which canaries stand in a tree, some bytes or a text, escaped or not, or in its texts one after the other."""
    text = found.decode(errors="replace") if isinstance(found, bytes) else found
    tree = json.dumps(text, ensure_ascii=False) if not isinstance(text, str) else text
    together = tree + "\n" + "".join(_strings(text)) + "\n" + tree.encode().decode("unicode_escape", "ignore")
    return [canary for canary in CANARIES if canary in together]


def _strings(node):
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _strings(key)
            yield from _strings(item)
