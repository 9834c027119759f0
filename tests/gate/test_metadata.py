"""What anybody may know of the gateway."""

import json

from phigate.gate.metadata import protected_resource


def test_a_resource_names_its_authorization_server():
    said = json.loads(protected_resource("https://ai.example", "https://console.example") or b"")
    assert said["resource"] == "https://ai.example"
    assert said["authorization_servers"] == ["https://console.example"]
    assert said["bearer_methods_supported"] == ["header"]
    assert not {"none", "HS256"} & set(said["dpop_signing_alg_values_supported"])


def test_a_resource_without_a_console_names_none():
    assert "authorization_servers" not in json.loads(protected_resource("https://ai.example", None) or b"")


def test_a_resource_that_does_not_know_its_address_says_nothing():
    assert protected_resource(None, "https://console.example") is None
