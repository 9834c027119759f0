"""Only the exact method and raw path of a table entry is a route."""

import pytest

from phigate.dialect import openai
from phigate.dialect.routes import Match, RouteTable

TABLE = RouteTable(openai.ROUTES)

UNKNOWN = [
    "/",
    "/v1",
    "/v1/",
    "/v1/chat/completions/",
    "/v1/chat/completions?x=1",
    "/v1//chat/completions",
    "/v1/chat/../chat/completions",
    "/V1/chat/completions",
    "/v1/chat%2fcompletions",
    "/v1/models/",
    "/v1/models/a/b/c",
    "/v1/models/../admin",
    "/v1/models/%2e%2e",
    "/v1/models/a b",
    "/v1/models/" + "a" * 400,
    "/api/generate",
    "http://other/v1/models",
]


def test_every_entry_is_found_by_its_own_path():
    for route in openai.ROUTES:
        path = route.path.replace("{model}", "llama3:8b")
        found = TABLE.find(route.method, path)
        assert isinstance(found, Match)
        assert found.route is route


def test_a_models_name_is_read_from_the_path():
    found = TABLE.find("GET", "/v1/models/meta/llama-3.1")
    assert isinstance(found, Match)
    assert found.model == "meta/llama-3.1"


@pytest.mark.parametrize("path", UNKNOWN)
def test_every_other_path_is_unknown(path):
    assert TABLE.find("GET", path) is None
    assert TABLE.find("POST", path) is None


@pytest.mark.parametrize("route", openai.ROUTES, ids=lambda route: route.name)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "get", "HEAD", "OPTIONS", ""])
def test_another_method_is_told_apart(route, method):
    assert TABLE.find(method, route.path.replace("{model}", "m")) is False
