"""What a console says of a ticket and of a review."""

ADA, EVE = ({"issuer": "https://idp.example", "id": name} for name in ("ada", "eve"))
_PROMPT = {"messages": [{"role": "user", "content": "How is [PERSON]?"}]}
_CALL = {"route": "openai-chat", "method": "POST", "target": "/v1/chat/completions"}
TICKET = {
    "ticket": "t-1",
    "state": "pending",
    "exchange": "x-1",
    "asked_by": ADA,
    "rule": "see",
    "actions": ["chat", "unmask"],
    "model": "ward-assistant",
    "digest": "aa",
    "approvers": ["officer"],
    "approvals": {"needed": 2, "given": 1},
    "grant": {"seconds": 1800.0, "uses": 1, "bound": True},
    "opened": 1_799_999_000.0,
    "until": 1_800_003_600.0,
    "shown": {"unmask": "ward round", "model": "ward-assistant", "call": _CALL, "prompt": _PROMPT},
    "said": [{"by": EVE, "verdict": "approve", "comment": "seen", "at": 1_799_999_940.0}],
}
REVIEW = {
    "exchange": "x-2",
    "rule": "emergency",
    "asked_by": ADA,
    "review_by": ["officer"],
    "opened": 1_800_000_000.0,
    "shown": {"reason": "cardiac arrest", "model": "ward-assistant", "call": _CALL, "prompt": _PROMPT},
}
