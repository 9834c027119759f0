"""Faulty policies and exactly what an operator reads about them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.policy.load import MAX_FAULTS, PolicyFaults, load_policy, must_be_a_file, parse_policy, place
from phigate.policy.schema import Policy
from tests.policies import ISSUERS, MASKS, ROLES, SHIPPED, faults, text

REST = f"{ISSUERS}{ROLES}{MASKS}"
CARE = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean}"
AUDITOR = "`seal_to`, the auditor's public key (`phigate seal-key` makes one)"


def one(rule: str) -> str:
    """A policy with this rule alone, on line 11."""
    return text(rule)


def with_issuer(line: str, instead_of: str) -> str:
    return text().replace(instead_of, line)


# what is wrong, the file, and every fault in it
FAULTY: list[tuple[str, str | bytes, list[str]]] = [
    (
        "an empty file lacks everything",
        "",
        [f"p.yaml:1: {key}: is missing" for key in ("issuers", "roles", "rules", "version")],
    ),
    ("a list is no policy", "- a", ["p.yaml:1: policy: must be a mapping"]),
    ("not UTF-8", b"version: 1\nroles: {a: [\xe9]}\n", ["p.yaml:2: policy: is not UTF-8"]),
    ("UTF-16", text().encode("utf-16"), ["p.yaml:1: policy: is not UTF-8"]),
    ("over 1 MiB", b"#" * (1 << 20) + b"\n", ["p.yaml:1: policy: is larger than 1 MiB"]),
    ("a NUL", b"version: 1\n\0", ["p.yaml:2: policy: holds a character that YAML does not allow"]),
    ("two documents", text() + "---\nversion: 1\n", ["p.yaml:12: policy: holds more than one YAML document"]),
    ("flow nesting", "[" * 5000, ["p.yaml:1: policy: is nested deeper than 32 levels"]),
    (
        "block nesting",
        "".join(" " * depth + "a:\n" for depth in range(300)),
        ["p.yaml:33: policy: is nested deeper than 32 levels"],
    ),
    ("an open quote", 'version: "1', ["p.yaml:1: policy: cannot be read as YAML: found unexpected end of stream"]),
    (
        "a character that does not exist",
        'version: "\\UFFFFFFFF"',
        ["p.yaml:1: policy: cannot be read as YAML: a character number that does not exist"],
    ),
    (
        "a duplicate key",
        text(head="version: 1\nversion: 2\n"),
        ["p.yaml:2: version: stands twice, first on line 1"],
    ),
    (
        "a duplicate key inside a rule",
        one("{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean, mask: reveal}"),
        ["p.yaml:11: rules[care].mask: stands twice, first on line 11"],
    ),
    (
        "anchors and aliases",
        text(head="version: &v 1\n", tail="saml: *v\n"),
        [
            "p.yaml:1: version: anchor `v` is not allowed",
            "p.yaml:10: saml: aliases are not allowed: write the value out",
        ],
    ),
    (
        "a tag",
        text(head="version: !!int 1\n"),
        ["p.yaml:1: version: tag `!!int` is not allowed"],
    ),
    (
        "a tag that would run something",
        text(head="version: !!python/object/apply:os.system 1\n"),
        ["p.yaml:1: version: tag `!!python/object/apply:os.system` is not allowed"],
    ),
    ("a key that is a list", text(head="version: 1\n? [a]\n: b\n"), ["p.yaml:2: policy: a key must be plain text"]),
    ("a merge key", text(head="version: 1\n<<: {a: b}\n"), ["p.yaml:2: <<: unknown key `<<`"]),
    (
        "a role whose letters are turned round",
        text(roles='roles: {"a\\u202eb": [x], clinician: [ward]}\n'),
        ["p.yaml:8: roles: holds a control or invisible character"],
    ),
    (
        "an unknown key with a near one",
        text(head="version: 1\nmodles: {}\n"),
        ["p.yaml:2: modles: unknown key `modles`, did you mean `models`"],
    ),
    (
        "the loader's own fields are no keys",
        text(head="version: 1\nsha256: x\n"),
        ["p.yaml:2: sha256: unknown key `sha256`"],
    ),
    ("another version", text(head="version: 1.0\n"), ["p.yaml:1: version: must be `1`, not `1.0`"]),
    ("an empty value", text(head="version:\n"), ["p.yaml:1: version: is empty"]),
    ("no rules", f"version: 1\n{REST}rules: []\n", ["p.yaml:10: rules: is empty"]),
    ("no issuers", text().replace(ISSUERS, "issuers: []\n"), ["p.yaml:2: issuers: is empty"]),
    (
        "no audience",
        with_issuer("", "    audience: phigate\n"),
        ["p.yaml:3: issuers[0].audience: is missing"],
    ),
    (
        "an empty audience",
        with_issuer("audience: []", "audience: phigate"),
        ["p.yaml:4: issuers[0].audience: is empty"],
    ),
    (
        "an HMAC algorithm",
        with_issuer("[HS256]", "[RS256]"),
        ["p.yaml:5: issuers[0].algorithms[0]: unknown algorithm `HS256`, did you mean `RS256`"],
    ),
    (
        "algorithms that are no list",
        with_issuer("algorithms: RS256", "algorithms: [RS256]"),
        ["p.yaml:5: issuers[0].algorithms: must be a list, as in `[...]`"],
    ),
    (
        "an issuer over http",
        with_issuer("issuer: http://idp.example", "issuer: https://idp.example"),
        ["p.yaml:3: issuers[0].issuer: `http://idp.example` must be https (http is believed on loopback only)"],
    ),
    (
        "an issuer with a password, which is not repeated",
        with_issuer("issuer: https://me:secret@idp.example", "issuer: https://idp.example"),
        ["p.yaml:3: issuers[0].issuer: must be an https URL, without user name, password and fragment"],
    ),
    (
        "keys from nowhere",
        with_issuer("keys: discovery", "keys: discover"),
        [
            (
                "p.yaml:6: issuers[0].keys: must be `discover`, an https URL of a JWKS or `file:PATH`,"
                " did you mean `discover`"
            )
        ],
    ),
    (
        "durations in another notation",
        with_issuer("keys: discover\n    max_age: 1h\n    leeway: 30", "keys: discover"),
        [
            "p.yaml:7: issuers[0].max_age: `1h` is not a duration such as `PT30M` or `P7D`",
            "p.yaml:8: issuers[0].leeway: `30` is not a duration such as `PT30M` or `P7D`",
        ],
    ),
    (
        "durations that are too long, too short, or as long as a month happens to be",
        with_issuer("keys: discover\n    max_age: P1M\n    leeway: PT1H", "keys: discover"),
        [
            "p.yaml:7: issuers[0].max_age: `P1M` has no fixed length: write days, hours, minutes or seconds",
            "p.yaml:8: issuers[0].leeway: `PT1H` is too long",
        ],
    ),
    (
        "one issuer twice",
        text(head="version: 1\n").replace(ISSUERS, ISSUERS + ISSUERS.removeprefix("issuers:\n")),
        ["p.yaml:8: issuers[1].issuer: `https://idp.example` stands twice"],
    ),
    (
        "no roles",
        text(roles="roles: {}\n"),
        ["p.yaml:8: roles: is empty", "p.yaml:11: rules[care].permit[0]: unknown role `clinician`"],
    ),
    (
        "a role without groups",
        text(roles="roles: {clinician: []}\n"),
        ["p.yaml:8: roles.clinician: is empty"],
    ),
    (
        "a role called *",
        text(roles="roles: {clinician: [ward], '*': [all]}\n"),
        ["p.yaml:8: roles.*: `*` is not a name: letters, digits, `-`, `_` and `.`, at most 64"],
    ),
    (
        "yes and no are words, and here unknown ones",
        one("{name: care, permit: [yes, no], to: [chat], models: ['*'], mask: lean}"),
        [
            "p.yaml:11: rules[care].permit[0]: unknown role `yes`",
            "p.yaml:11: rules[care].permit[1]: unknown role `no`",
        ],
    ),
    (
        "a rule with no roles",
        one("{name: care, permit: [], to: [chat], models: ['*'], mask: lean}"),
        ["p.yaml:11: rules[care].permit: is empty"],
    ),
    (
        "a rule without a verb",
        one("{name: care, to: [chat]}"),
        ["p.yaml:11: rules[care]: needs a verb: `permit`, `hold`, `deny` or `break_glass`"],
    ),
    (
        "a rule with two verbs",
        one("{name: care, permit: [clinician], deny: ['*'], to: [chat], models: ['*'], mask: lean}"),
        ["p.yaml:11: rules[care]: has both `permit` and `deny`: a rule has one verb"],
    ),
    (
        "a rule without a name is known by its number",
        one("{permit: [clinician], to: [chat], models: ['*'], mask: lean}"),
        ["p.yaml:11: rules[0].name: is missing"],
    ),
    ("two rules of one name", text(CARE, CARE), ["p.yaml:12: rules[care].name: `care` stands twice"]),
    (
        "a rule named like a reason",
        one("{name: no-rule, permit: [clinician], to: [chat], models: ['*'], mask: lean}"),
        ["p.yaml:11: rules[no-rule].name: `no-rule` is the name of a reason and cannot be a rule's"],
    ),
    (
        "a name that is no header",
        one("{name: 'ca re', permit: [clinician], to: [chat], models: ['*'], mask: lean}"),
        ["p.yaml:11: rules[ca re].name: `ca re` is not a name: letters, digits, `-`, `_` and `.`, at most 64"],
    ),
    (
        "unknown words of every kind, all at once",
        one("{name: care, permit: [clinicain], to: [chatt], models: ['*'], mask: leen, purpose: fun, prompt: x}"),
        [
            "p.yaml:11: rules[care].mask: unknown mask `leen`, did you mean `lean`",
            "p.yaml:11: rules[care].permit[0]: unknown role `clinicain`, did you mean `clinician`",
            "p.yaml:11: rules[care].prompt: unknown mask `x`",
            "p.yaml:11: rules[care].purpose: unknown purpose `fun`",
            "p.yaml:11: rules[care].to[0]: unknown action `chatt`, did you mean `chat`",
        ],
    ),
    (
        "fields whose paths cannot be read, or that hide what nobody knows",
        text(
            tail="fields:\n  - {hide: {a.b: PERSON, $.c: PRESON}, keep: ['$.x[?(@.y)]']}\n"
            "  - {in: prompt, scan: ['$..note', '$..note']}\n"
        ),
        [
            "p.yaml:11: fields[0].hide.$.c: unknown entity `PRESON`, did you mean `PERSON`",
            "p.yaml:11: fields[0].hide.a.b: `a.b` is not a path: it begins with `$`",
            "p.yaml:11: fields[0].keep[0]: `$.x[?(@.y)]` is not a path: it cannot be read from its character 4 on",
            "p.yaml:12: fields[1].in: unknown word `prompt`",
            "p.yaml:12: fields[1].scan: `$..note` stands twice",
        ],
    ),
    (
        "fields that say nothing, or two things of one place",
        text(
            tail="models: {ward: {url: 'http://10.0.0.1:1'}}\nfields:\n  - {models: [wards]}\n"
            "  - {hide: {$.a: PERSON}, keep: [$.a, $.b], scan: [$.b]}\n  - {hide: {}}\n"
        ),
        [
            "p.yaml:12: fields[0]: needs `hide`, `keep` or `scan`",
            "p.yaml:12: fields[0].models[0]: unknown model `wards`, did you mean `ward`",
            "p.yaml:13: fields[1].keep[0]: `$.a` stands in `hide` as well",
            "p.yaml:13: fields[1].scan[0]: `$.b` stands in `keep` as well",
            "p.yaml:14: fields[2].hide: is empty",
        ],
    ),
    (
        "an unknown model",
        text(
            "{name: care, permit: [clinician], to: [chat], models: [wards], mask: lean}",
            tail="models: {ward: {url: 'http://10.0.0.1:1'}}\n",
        ),
        ["p.yaml:12: rules[care].models[0]: unknown model `wards`, did you mean `ward`"],
    ),
    (
        "a permit without models and mask",
        one("{name: care, permit: [clinician], to: [chat]}"),
        [
            "p.yaml:11: rules[care]: needs `mask`: a `permit` of `chat` says how the answer is masked",
            'p.yaml:11: rules[care]: needs `models`: a `permit` names its models, or `["*"]` for all',
        ],
    ),
    (
        "a hold without approvers",
        one("{name: deploy, hold: [officer], to: [manage-models], models: ['*']}"),
        ["p.yaml:11: rules[deploy]: needs `approvers`: a `hold` names its approvers"],
    ),
    (
        "approvers are named",
        one("{name: deploy, hold: [officer], to: [manage-models], models: ['*'], approvers: ['*']}"),
        [
            "p.yaml:11: rules[deploy].approvers[0]: `*` is not a name: letters, digits, `-`, `_` and `.`, at most 64",
            "p.yaml:11: rules[deploy].approvers[0]: unknown role `*`",
        ],
    ),
    (
        "break-glass without reviewers",
        one("{name: sos, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal}"),
        ["p.yaml:11: rules[sos]: needs `review_by`: a `break_glass` names its reviewers"],
    ),
    (
        "keys that mean nothing for the verb",
        one("{name: never, deny: ['*'], to: [chat], mask: lean, approvals: 2, review_within: P1D}"),
        [
            "p.yaml:11: rules[never].approvals: `approvals` means nothing in a `deny`",
            "p.yaml:11: rules[never].mask: `mask` means nothing in a `deny`",
            "p.yaml:11: rules[never].review_within: `review_within` means nothing in a `deny`",
        ],
    ),
    (
        "every action may be denied, not permitted",
        one("{name: care, permit: [clinician], to: ['*'], models: ['*'], mask: lean}"),
        ["p.yaml:11: rules[care].to[0]: `*` for every action is for a `deny` only"],
    ),
    (
        "a star among roles",
        one("{name: never, deny: ['*', clinician], to: [chat]}"),
        ["p.yaml:11: rules[never].deny: `*` stands alone: it already means all"],
    ),
    (
        "a pattern for another engine",
        one("{name: never, deny: ['*'], to: [chat], when: {prompt_matches: ['(?=x)']}}"),
        [
            (
                "p.yaml:11: rules[never].when.prompt_matches[0]: `(?=x)` is not a pattern that RE2 can run:"
                " invalid perl operator: (?="
            )
        ],
    ),
    (
        "an empty condition",
        one("{name: never, deny: ['*'], to: [chat], when: {prompt_matches: ['']}}"),
        ["p.yaml:11: rules[never].when.prompt_matches[0]: is empty"],
    ),
    (
        "counts that are none",
        one(
            "{name: d, hold: [officer], to: [manage-models], models: ['*'], approvers: [officer],"
            " approvals: 010, grant: {uses: 0}}"
        ),
        [
            "p.yaml:11: rules[d].approvals: must be a whole number, not `010`",
            "p.yaml:11: rules[d].grant.uses: must be at least 1",
        ],
    ),
    (
        "a grant without an end",
        one(
            "{name: d, hold: [officer], to: [manage-models], models: ['*'], approvers: [officer],"
            " grant: {bind: request}}"
        ),
        ["p.yaml:11: rules[d].grant: needs `for` or `uses`: a grant ends"],
    ),
    (
        "a mask without OTHER",
        text(masks="masks: {lean: {PERSON: surrogate}}\n"),
        ["p.yaml:9: masks.lean: needs `OTHER`: how everything else is hidden"],
    ),
    (
        "unknown entities and transforms",
        text(masks="masks: {lean: {PERSONS: redact, AGE: redacted, OTHER: redact}}\n"),
        [
            "p.yaml:9: masks.lean.AGE: unknown transform `redacted`, did you mean `redact`",
            "p.yaml:9: masks.lean.PERSONS: unknown entity `PERSONS`, did you mean `PERSON`",
        ],
    ),
    (
        "options of a mask that do not exist",
        text(masks="masks:\n  lean:\n    scope: sesion\n    bias: [recall]\n    undecodable: ''\n    OTHER: redact\n"),
        [
            "p.yaml:11: masks.lean.scope: unknown scope `sesion`, did you mean `session`",
            "p.yaml:12: masks.lean.bias: must be a text",
            "p.yaml:13: masks.lean.undecodable: is empty",
        ],
    ),
    (
        "records that let through what cannot be read",
        text(tail="capture: {mask: {undecodable: permit, OTHER: redact}}\n"),
        ["p.yaml:10: capture.mask.undecodable: `permit` is not allowed here: what is kept is always masked"],
    ),
    (
        "transforms in the wrong place",
        text(masks="masks: {lean: {PERSON: zip3, OTHER: year}}\n"),
        [
            "p.yaml:9: masks.lean.OTHER: `year` is for `DATE_TIME` only",
            "p.yaml:9: masks.lean.PERSON: `zip3` is for `ZIP` only",
        ],
    ),
    (
        "keep-last that keeps too much",
        text(masks="masks: {lean: {MRN: {keep-last: 99}, OTHER: redact}}\n"),
        ["p.yaml:9: masks.lean.MRN: `keep-last` keeps 1 to 8 characters"],
    ),
    (
        "reveal defined anew",
        text(masks=MASKS.replace("}}", "}, reveal: {OTHER: keep}}")),
        ["p.yaml:9: masks.reveal: `reveal` is built in and cannot be defined"],
    ),
    (
        "records that show something",
        text(tail="capture: {mask: {PERSON: keep, OTHER: redact}}\n"),
        ["p.yaml:10: capture.mask.PERSON: `keep` is not allowed here: what is kept is always masked"],
    ),
    ("records revealed", text(tail="capture: {mask: reveal}\n"), ["p.yaml:10: capture.mask: must be a mapping"]),
    (
        "sealed bodies",
        text(tail="capture: {bodies: sealed}\n"),
        [f"p.yaml:10: capture.bodies: `sealed` needs {AUDITOR}"],
    ),
    (
        "an auditor of nothing",
        text(tail="capture: {bodies: masked, seal_to: 'file:auditor.pub'}\n"),
        ["p.yaml:10: capture.seal_to: means nothing without `bodies: sealed`"],
    ),
    (
        "a private key in the policy is not repeated",
        text(tail="capture: {bodies: sealed, seal_to: '-----BEGIN PRIVATE KEY-----'}\n"),
        ["p.yaml:10: capture.seal_to: is neither `x25519:` with 44 characters of base64 nor `file:PATH`"],
    ),
    (
        "a model's address with a path, a credential in the open, which is not repeated",
        text(tail="models: {m: {url: 'http://10.0.0.1:1/v1', credential: hunter2}}\n"),
        [
            "p.yaml:10: models.m.credential: must be `env:NAME`, the environment variable that holds the credential",
            "p.yaml:10: models.m.url: must be `http://HOST:PORT` or `https://HOST:PORT` and nothing more",
        ],
    ),
    (
        "one name for two models",
        text(tail="models: {a: {names: [x]}, b: {names: [y, x]}}\n"),
        ["p.yaml:10: models.b.names[1]: `x` belongs to `a` already"],
    ),
    (
        "a route that is none",
        text(tail="routes: [{name: triage, match: /predict, action: guess, text: [outputs]}]\n"),
        [
            "p.yaml:10: routes[triage].action: unknown action `guess`",
            "p.yaml:10: routes[triage].match: `/predict` is not a method and a path, as in `POST /predict`",
            "p.yaml:10: routes[triage].text[0]: `outputs` is not a path such as `$.outputs[*].note`",
        ],
    ),
    (
        "routes that no request can ask for, and one for what no server does",
        text(
            tail="routes: [{name: a, match: PUT /a, action: unmask}, {name: b, match: 'POST /a/../b', action: chat}, "
            "{name: c, match: 'POST /{model}/{model}', action: chat}]\n"
        ),
        [
            "p.yaml:10: routes[a].action: `unmask` is nothing that a model server does",
            "p.yaml:10: routes[a].match: `PUT /a` is not a method and a path, as in `POST /predict`",
            "p.yaml:10: routes[b].match: `POST /a/../b` is not a method and a path, as in `POST /predict`",
            "p.yaml:10: routes[c].match: `POST /{model}/{model}` has the model in two places",
        ],
    ),
    (
        "SAML without certificates",
        text(tail="saml: [{entity_id: x, audience: phigate, groups_from: groups}]\n"),
        ["p.yaml:10: saml[0].certificates: is missing"],
    ),
    (
        "faults of several lines come in their order",
        "version: 2\nissuers: x\nroles: []\nrules: {}\nmasks: 3\n",
        [
            "p.yaml:1: version: must be `1`, not `2`",
            "p.yaml:2: issuers: must be a list, as in `[...]`",
            "p.yaml:3: roles: must be a mapping",
            "p.yaml:4: rules: must be a list, as in `[...]`",
            "p.yaml:5: masks: must be a mapping",
        ],
    ),
]


@pytest.mark.parametrize(
    ("of", "expected"), [(of, lines) for _, of, lines in FAULTY], ids=[what for what, *_ in FAULTY]
)
def test_every_fault_is_said_at_its_line(of: str | bytes, expected: list[str]) -> None:
    assert faults(of) == expected


def test_the_shipped_policy_has_no_faults() -> None:
    policy = load_policy(SHIPPED)
    assert policy.sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert policy.folder == SHIPPED.parent


def test_a_byte_order_mark_is_allowed_and_counts_for_the_hash() -> None:
    data = b"\xef\xbb\xbf" + text().encode()
    assert parse_policy(data, "p.yaml", Path()).sha256 == hashlib.sha256(data).hexdigest()


def test_what_yaml_would_guess_at_stays_the_text_that_was_written() -> None:
    policy = parse_policy(
        text(roles="roles: {clinician: [yes, 0777, 2026-01-01, 12:30, null, 1e3]}\n").encode(), "p", Path()
    )
    assert policy.roles["clinician"] == ("yes", "0777", "2026-01-01", "12:30", "null", "1e3")


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PolicyFaults) as refused:
        load_policy(tmp_path / "none.yaml")
    assert refused.value.faults == (f"{tmp_path}/none.yaml:1: file: cannot be read: no such file or directory",)


def test_a_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PolicyFaults, match="cannot be read: is a directory"):
        load_policy(tmp_path)


def test_what_may_never_end_is_a_fault_where_others_wait(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml", Path(__file__)):
        must_be_a_file(path)
    with pytest.raises(PolicyFaults, match="is not a file"):
        must_be_a_file(Path("/dev/null"))


def test_very_many_faults_are_cut_and_counted() -> None:
    found = faults(text(head="version: 1\n" + "".join(f"k{number}: 1\n" for number in range(MAX_FAULTS + 5))))
    assert len(found) == MAX_FAULTS + 1
    assert found[-1] == "p.yaml:102: policy: and 5 more faults from here on"


def test_a_path_names_items_that_have_a_name() -> None:
    tree = {"rules": [{"name": "care"}, {}]}
    assert place(("rules", 0, "mask"), tree) == "rules[care].mask"
    assert place(("rules", 1, "mask"), tree) == "rules[1].mask"


PIECES = [
    "*a",
    "&a ",
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    '"',
    "'",
    "!!int ",
    "\n",
    "\t",
    "|\n",
    "---\n",
    "\\",
    "\0",
    "\u202e",
    "",
    "?",
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_to_a_file_gets_past_the_loader_as_another_exception(data: st.DataObject) -> None:
    broken = SHIPPED.read_text().partition("\nroles:")[2]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(broken)))
        length = data.draw(st.integers(0, 20))
        broken = broken[:start] + data.draw(st.sampled_from(PIECES)) + broken[start + length :]
    head = f"version: 1\n{ISSUERS}roles:"
    try:
        policy = parse_policy((head + broken).encode(), "p.yaml", Path())
    except PolicyFaults as refused:
        said = refused.faults
    else:
        assert isinstance(policy, Policy)
        return
    assert said
    assert all(fault.startswith("p.yaml:") and not fault.endswith(".") for fault in said)


def test_what_others_know_is_said_at_its_line_with_the_rest() -> None:
    of = text(tail="routes: [{name: mine, match: POST /a, action: chat}]\n").encode()

    def further(policy: Policy):
        yield ("routes", 0, "match"), f"{policy.routes[0].match} is taken"

    with pytest.raises(PolicyFaults) as refused:
        parse_policy(of, "p.yaml", Path(), further)
    assert refused.value.faults == ("p.yaml:10: routes[mine].match: POST /a is taken",)
    assert parse_policy(of, "p.yaml", Path(), lambda _policy: ())
