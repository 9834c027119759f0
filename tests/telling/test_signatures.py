"""Signatures against what their specifications print."""

import base64
import hmac

import pytest

from phigate.telling.signatures import TOLERANCE, from_slack, headers, keys_of

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()


def test_a_message_is_signed_as_standard_webhooks_say():
    """The values that the libraries of Standard Webhooks are tested with."""
    signed = headers(keys_of(STANDARD), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_changed_both_sign():
    both = headers(keys_of(f"{OTHER} {STANDARD}"), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    first, second = both["webhook-signature"].split()
    assert second == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert first != second


@pytest.mark.parametrize(
    "text",
    ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_MfKQ", "whsec_%%%%", f"{STANDARD} x", f"{OTHER}AAAA"],
)
def test_what_is_no_secret_is_none_and_is_not_repeated(text):
    with pytest.raises(ValueError, match=r"secret|base64") as refused:
        keys_of(text)
    assert not [word for word in text.split() if word != "whsec_" and word in str(refused.value).split()]


SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d"
    b"10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
AT = 1531420618.0


def test_slacks_own_example_is_slacks():
    assert from_slack(SECRET, "1531420618", SIGNATURE, BODY, AT)
    assert from_slack(SECRET, "1531420618", SIGNATURE, BODY, AT + TOLERANCE)


def again(timestamp):
    said = hmac.new(SECRET.encode(), b"v0:" + timestamp.encode() + b":" + BODY, "sha256")
    return f"v0={said.hexdigest()}"


@pytest.mark.parametrize(
    ("secret", "timestamp", "signature", "body", "now"),
    [
        ("another", "1531420618", SIGNATURE, BODY, AT),
        (SECRET, "1531420619", SIGNATURE, BODY, AT),
        (SECRET, "1531420618", SIGNATURE, BODY + b"&", AT),
        (SECRET, "1531420618", SIGNATURE.upper(), BODY, AT),
        (SECRET, "1531420618", SIGNATURE.replace("v0", "v1"), BODY, AT),
        (SECRET, "1531420618", "", BODY, AT),
        (SECRET, "1531420618", SIGNATURE, BODY, AT + TOLERANCE + 1),
        (SECRET, "1531420618", SIGNATURE, BODY, AT - TOLERANCE - 1),
        (SECRET, "+1531420618", again("+1531420618"), BODY, AT),
        (SECRET, "\u0661531420618", again("\u0661531420618"), BODY, AT),
        (SECRET, "", again(""), BODY, AT),
    ],
)
def test_nothing_else_is(secret, timestamp, signature, body, now):
    assert not from_slack(secret, timestamp, signature, body, now)
