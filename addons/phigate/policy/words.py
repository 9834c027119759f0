"""The closed sets of the policy's language: a word that is not here is a fault, never a guess."""

from __future__ import annotations

VERBS = ("permit", "hold", "deny", "break_glass")

ACTIONS = frozenset(
    {
        "chat",
        "complete",
        "embed",
        "transcribe",
        "rank",
        "predict",
        "list-models",
        "manage-models",
        "unmask",
        "review",
        "read-journal",
        "unseal",
        "revoke",
    }
)

CONTENT_ACTIONS = frozenset({"chat", "complete", "embed", "transcribe", "rank", "predict", "unmask"})
"""Actions whose answer carries generated text or data: a rule that lets them through says how it is masked."""

SERVED_ACTIONS = (CONTENT_ACTIONS - {"unmask"}) | {"list-models", "manage-models"}
"""What a model server does: what a route may stand for."""

MODEL_FREE_ACTIONS = frozenset({"list-models", "review", "read-journal", "unseal", "revoke"})
"""Actions that may come without a model: then they match rules whatever their `models`."""

PURPOSES = frozenset({"treatment", "payment", "operations", "research", "emergency"})
"""The part of HL7 PurposeOfUse that a policy may state."""

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
)
"""Signatures by a key that the issuer alone holds (RFC 7518 section 3.1, RFC 8037); never HMAC, never `none`."""

ENTITIES = frozenset(
    {
        "PERSON",
        "LOCATION",
        "ORGANIZATION",
        "DATE_TIME",
        "AGE",
        "PHONE_NUMBER",
        "FAX_NUMBER",
        "EMAIL_ADDRESS",
        "US_SSN",
        "MRN",
        "HEALTH_PLAN_ID",
        "ACCOUNT_NUMBER",
        "LICENSE_NUMBER",
        "VEHICLE_ID",
        "DEVICE_ID",
        "URL",
        "IP_ADDRESS",
        "BIOMETRIC_ID",
        "PHOTO",
        "ZIP",
        "CREDIT_CARD",
        "NPI",
        "DEA_NUMBER",
        "MBI",
        "IBAN_CODE",
        "ENCOUNTER_ID",
        "UNIQUE_ID",
    }
)

OTHER = "OTHER"
"""The key of a mask that stands for every entity it does not name."""

TRANSFORMS = (
    "redact",
    "mask",
    "year",
    "zip3",
    "cap-90",
    "generalise",
    "hash",
    "encrypt",
    "surrogate",
    "shift",
    "keep-last",
    "keep",
)
"""Strictest first: where several rules permit, the first of these wins for each entity."""

TRANSFORM_ENTITY = {"year": "DATE_TIME", "shift": "DATE_TIME", "zip3": "ZIP", "cap-90": "AGE"}
"""Transforms that make sense of one entity only."""

SCOPES = ("exchange", "session", "subject", "organisation")
"""Where the same value gets the same stand-in; narrowest first."""

BIASES = {"recall": 0.3, "balanced": 0.5, "precision": 0.75}
"""The score that a finding must have to be hidden; strictest first."""

UNDECODABLE = ("redact", "permit")
"""What happens to text that looks encoded and cannot be read; strictest first."""

REASONS = frozenset(
    {"no-rule", "denied", "reason-missing", "justification-missing", "approval-required", "outside-hours"}
)
"""The reasons of a decision; no rule may carry one as its name."""
