"""TorchServe's management port: the model is named where the server reads it, and changes are answered when done."""

import orjson
import pytest

from phigate.dialect.known import ROUTES
from phigate.dialect.managing import ANSWERS
from phigate.dialect.routes import Match, RouteTable
from phigate.dialect.torchserve_models import DIALECT
from phigate.masking.answer import whole
from tests.dialect.managed import meant, written
from tests.masking.test_answer import sight
from tests.traffic import CANARY_TEXT, leaks

ARCHIVE = {"model_name": "ward", "url": "https://models.example/ward.mar"}
CHANGES = [
    ("POST", "/models", ARCHIVE | {"initial_workers": 1, "runtime": "PYTHON"}, "ward"),
    ("POST", "/models", {"url": "https://models.example/ward.mar"}, "model-missing"),
    ("POST", "/models", ARCHIVE | {"runtime": "/bin/sh"}, "malformed"),
    ("POST", "/models", ARCHIVE | {"initial_workers": -1}, "malformed"),
    ("POST", "/models", ARCHIVE | {"token": "x"}, "member-unknown"),
    ("PUT", "/models/ward?min_worker=2&synchronous=true", b"", "ward"),
    ("PUT", "/models/ward/2.0?min_worker=2&max_worker=4&synchronous=true", b"", "ward"),
    ("PUT", "/models/ward/2.0/set-default", b"", "ward"),
    ("PUT", "/models/ward/2.0/set-default", {"model": "other"}, "member-unknown"),
    ("DELETE", "/models/ward", b"", "ward"),
    ("DELETE", "/models/ward/2.0", b"", "ward"),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), CHANGES)
def test_a_change_holds_what_is_known_and_names_the_model_that_is_changed(method, path, body, expected):
    assert meant(method, path, body) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/models?url=https://models.example/ward.mar"),
        ("PUT", "/models/ward?min_worker=2"),
        ("PUT", "/models/ward?min_worker=2&synchronous=false"),
        ("PUT", "/models/ward?min_worker=2&synchronous=true&timeout=0"),
        ("GET", "/models/ward?customized=true"),
        ("GET", "/token?type=management"),
    ],
)
def test_what_names_no_model_or_is_done_later_is_unknown(method, path):
    assert not isinstance(RouteTable(ROUTES).find(method, path), Match)


def test_a_model_is_registered_before_it_is_answered():
    assert orjson.loads(written("POST", "/models", ARCHIVE | {"synchronous": False}))["synchronous"] is True


def test_what_is_told_of_models_stays_and_what_is_a_person_s_does_not():
    worker = {"id": "9000", "startTime": "2018-10-02T13:44:53.034Z", "status": "READY", "memoryUsage": 0}
    told = {"modelName": "ward", "modelVersion": "2.0", "workers": [worker]}
    body, *_ = whole(orjson.dumps([told]), sight(), DIALECT, ANSWERS["application/json"], {})
    assert orjson.loads(body) == [told]
    said = {"status": f"registered {CANARY_TEXT}"}
    body, *_ = whole(orjson.dumps(said), sight(), DIALECT, ANSWERS["application/json"], {})
    assert leaks(body) == []
    assert b"registered" in body
