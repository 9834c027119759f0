"""What a gateway makes of a case, without one: everything passed on, perfectly masked, cut off, emptied."""

import gzip
import json
import re
from dataclasses import replace

from phigate.conformance import probe, wire
from phigate.conformance.cuts import cuts
from phigate.conformance.judge import Seen, judge

HIDDEN = "[HIDDEN]"
NUMBER = re.compile(r"\d{8,}")


def hidden(text):
    """A text with what is hidden, read as JSON where it is JSON, all the way down."""
    if text[:1] in ("{", "["):
        return json.dumps(_hidden(json.loads(text)), ensure_ascii=False)
    for value in probe.IDENTIFIERS.values():
        text = text.replace(value, HIDDEN)
    return NUMBER.sub(HIDDEN, text)


def _hidden(node):
    if isinstance(node, dict):
        return {key: _hidden(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_hidden(item) for item in node]
    return hidden(node if isinstance(node, str) else json.dumps(node))


def received(case, cut, spoken=None):
    """What a client sees of an answer that nobody touched, or in which `spoken` is said instead."""
    sent = wire.answer(case, at=cut.text, spoken=spoken)
    body = gzip.decompress(sent.body) if case.encoding else sent.body
    return Seen(sent.status, sent.headers, body)


def verdicts(case, make=lambda seen: seen, spoken=None, limit=1):
    """The verdict at each of a few cuts on what `make` leaves of the answer."""
    texts = {cut.text: cut for cut in cuts(case, limit)}  # where the bytes are cut makes no difference here
    return {judge(case, make(received(case, cut, spoken))).kind for cut in texts.values()}


def passed_on(case):
    """Verdicts on a gateway that lets everything through."""
    return verdicts(case)


def masked(case):
    """Verdicts on a gateway that hides all identifiers and nothing else."""
    return verdicts(case, spoken=hidden(case.spoken))


def emptied(case):
    """Verdicts on a gateway that leaves nothing of the channel's text."""
    return verdicts(case, spoken="{}" if case.spoken[:1] == "{" else "")


def cut_short(case):
    """Verdicts on a gateway that hides everything, and loses the end of it."""
    cut = next(cuts(case, 1))
    sent = wire.answer(replace(case, encoding=""), at=cut.text, spoken=hidden(case.spoken))
    body = b"".join(sent.parts[:-1]) if len(sent.parts) > 1 else sent.body[:-5]
    return judge(case, Seen(sent.status, sent.headers, body)).kind
