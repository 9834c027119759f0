"""Only the exact method and raw path of a table entry is a route."""

import pytest

from phigate.dialect import openai, openai_lists
from phigate.dialect.routes import Match, Route, RouteTable

ROUTES = (*openai.ROUTES, *openai_lists.ROUTES)
TABLE = RouteTable(ROUTES)

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
    for route in ROUTES:
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


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "get", "HEAD", "OPTIONS", ""])
def test_another_method_is_told_apart(route, method):
    assert TABLE.find(method, route.path.replace("{model}", "m")) is False


def route(path, **more):
    return Route("r", "POST", path, "predict", "d", **({"model_key": None} | more))


@pytest.mark.parametrize(
    ("path", "asked", "model"),
    [
        ("/v2/models/{model}/infer", "/v2/models/triage/infer", "triage"),
        ("/v2/models/{model}/versions/{version}/infer", "/v2/models/triage/versions/3/infer", "triage"),
        ("/v1/models/{model}:predict", "/v1/models/triage:predict", "triage"),
        ("/v1/things/{id}", "/v1/things/abc-1", None),
    ],
)
def test_places_in_a_path_are_read(path, asked, model):
    found = RouteTable([route(path)]).find("POST", asked)
    assert isinstance(found, Match)
    assert found.model == model


@pytest.mark.parametrize(
    "asked",
    [
        "/v2/models/a/b/infer",
        "/v2/models//infer",
        "/v2/models/../infer",
        "/v2/models/a/infer/",
        "/v2/models/a/infer?x=1",
    ],
)
def test_a_place_holds_one_plain_word(asked):
    assert RouteTable([route("/v2/models/{model}/infer")]).find("POST", asked) is None


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        ("/v1/realtime?model=triage", "triage"),
        ("/v1/realtime?model=llama3:8b", "llama3:8b"),
        ("/v1/realtime?model=llama3%3A8b", "llama3:8b"),
        ("/v1/realtime?model=org%2fvoice-1", "org/voice-1"),
    ],
)
def test_a_models_name_is_read_from_a_query(asked, model):
    found = RouteTable([route("/v1/realtime?model={model}")]).find("POST", asked)
    assert isinstance(found, Match)
    assert found.model == model


@pytest.mark.parametrize(
    "query", ["", "?", "?model=", "?model=a&x=1", "?x=1&model=a", "?model=%41", "?model=a%00", "?model=a b", "?MODEL=a"]
)
def test_another_query_is_unknown(query):
    assert RouteTable([route("/v1/realtime?model={model}")]).find("POST", f"/v1/realtime{query}") is None


def test_a_query_is_part_of_a_path():
    table = RouteTable([route("/v1/messages"), route("/v1/messages?beta=true")])
    assert isinstance(table.find("POST", "/v1/messages?beta=true"), Match)
    assert table.find("POST", "/v1/messages?beta=false") is None


def test_a_path_that_says_more_comes_before_one_that_says_less():
    model, config = route("/v2/models/{model}"), route("/v2/models/{model}/config")
    table = RouteTable([model, config])
    found = [table.find("POST", path) for path in ("/v2/models/a/config", "/v2/models/a/b")]
    assert [(each.route, each.model) for each in found] == [(config, "a"), (model, "a/b")]
