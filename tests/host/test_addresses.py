"""Where the gateway says it is, and when it says nothing."""

import pytest

from phigate.host.addresses import Addresses, AddressFault, addresses

MODE = ["reverse:http://127.0.0.1:8000"]
LOCAL = {"mode": MODE, "listen_host": "127.0.0.1", "listen_port": None, "phi_console": "127.0.0.1:8090"}
CASES = [
    ("both on loopback", {}, "http://127.0.0.1:8080", "http://127.0.0.1:8090"),
    ("on a port of its own", {"listen_port": 9999}, "http://127.0.0.1:9999", "http://127.0.0.1:8090"),
    (
        "on a port of the mode's",
        {"mode": [MODE[0] + "@127.0.0.1:7000"]},
        "http://127.0.0.1:7000",
        "http://127.0.0.1:8090",
    ),
    ("on a port without a host", {"mode": [MODE[0] + "@7000"]}, "http://127.0.0.1:7000", "http://127.0.0.1:8090"),
    ("by name", {"listen_host": "localhost"}, "http://localhost:8080", "http://127.0.0.1:8090"),
    ("over IPv6", {"listen_host": "::1", "phi_console": "[::1]:1"}, "http://[::1]:8080", "http://[::1]:1"),
    ("on every interface", {"listen_host": ""}, None, "http://127.0.0.1:8090"),
    ("on the network", {"listen_host": "10.0.0.4", "phi_console": "0.0.0.0:8090"}, None, None),
    ("without a console", {"phi_console": ""}, "http://127.0.0.1:8080", None),
    ("on any free port", {"phi_console": "127.0.0.1:0"}, "http://127.0.0.1:8080", None),
    (
        "as said",
        {
            "listen_host": "",
            "phi_url": "https://ai.hospital.example/",
            "phi_console_url": "https://ai.hospital.example/c",
        },
        "https://ai.hospital.example",
        "https://ai.hospital.example/c",
    ),
]


@pytest.mark.parametrize(("sentence", "options", "url", "console"), CASES, ids=[case[0] for case in CASES])
def test_the_gateway_is(sentence, options, url, console):
    assert addresses(LOCAL | options) == Addresses(url, console)


def test_the_metadata_stands_at_the_data_port():
    assert Addresses("https://ai.example").metadata == "https://ai.example/.well-known/oauth-protected-resource"
    assert Addresses().metadata is None


WRONG = [
    *(
        "ai.example",
        "ftp://ai.example",
        "http://ai.example",
        "https://",
        "https://ai.example:0",
        "https://a:b@ai.example",
    ),
    *("https://ai.example?x", "https://ai.example#x", "https://[::1", "https://ai.example/ x", "https://ä.example"),
]


@pytest.mark.parametrize("url", WRONG)
def test_no_base_address_is_a_fault_that_names_the_option(url):
    with pytest.raises(AddressFault, match="phi_console_url"):
        addresses(LOCAL | {"phi_console_url": url})
