"""What a request that changes a model is taken for: read by its route as the gateway reads it."""

import orjson

from phigate.access.request import read
from phigate.dialect.known import ROUTES, dialect_of
from phigate.dialect.routes import Match, RouteTable
from phigate.exchange import Refusal

TABLE = RouteTable(ROUTES)
JSON = {b"content-type": b"application/json"}


def read_as(method, path, body):
    """The request, or its refusal; `body` is a tree, or the bytes of a body of no type."""
    match = TABLE.find(method, path)
    assert isinstance(match, Match)
    assert match.route.action == "manage-models"
    if isinstance(body, bytes):
        return read(match, body, {}, dialect_of)
    return read(match, orjson.dumps(body), JSON, dialect_of)


def meant(method, path, body):
    """The model that is changed, None where the protocol names none; the reason where it is refused."""
    asked = read_as(method, path, body)
    return asked.reason if isinstance(asked, Refusal) else asked.model


def written(method, path, body):
    """What goes on to the server."""
    asked = read_as(method, path, body)
    codec = asked.route.reads["" if isinstance(body, bytes) else "application/json"]
    return codec.write(asked.tree)[0]
