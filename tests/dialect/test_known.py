"""All dialects together: no two routes are told apart by nothing, and every name is its own."""

from collections import Counter

import pytest

from phigate.dialect import kserve_grpc
from phigate.dialect.framing import FRAMINGS
from phigate.dialect.known import DIALECTS, ROUTES, dialect_of
from phigate.policy.words import ACTIONS


def test_names_of_routes_are_unique():
    names = [*(route.name for route in ROUTES), *(method.name for method in kserve_grpc.METHODS.values())]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_routes_of_one_path_are_told_apart_by_their_bodies():
    several = Counter((route.method, route.path, route.when) for route in ROUTES)
    assert [key for key, count in several.items() if count > 1] == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_speaks_in_the_words_of_the_policy_and_of_its_dialect(route):
    assert route.action in ACTIONS
    assert route in DIALECTS[route.dialect].routes
    assert route.stream is None or route.stream.media in FRAMINGS
    assert route.asks in {"stream", "unless", "always", "never", "either"}


def test_an_error_has_a_shape_even_where_no_route_is_known():
    assert dialect_of(None) is dialect_of("openai")
