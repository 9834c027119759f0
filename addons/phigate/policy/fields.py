"""The types of the policy's values: how a text from the file becomes one, and the sentence when it does not.

Every validator raises `fault(sentence)`; `Says` is what the reference table prints for the type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ValidationError,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from phigate.policy import urls
from phigate.policy.masks import Mask, Transform
from phigate.policy.paths import BadPathError, steps
from phigate.policy.patterns import BadPatternError, compile_pattern
from phigate.policy.sentences import fault, meant, quoted
from phigate.policy.words import (
    ACTIONS,
    ALGORITHMS,
    BIASES,
    ENTITIES,
    OTHER,
    PURPOSES,
    REASONS,
    SCOPES,
    SERVED_ACTIONS,
    TRANSFORMS,
    UNDECODABLE,
)

MAX_KEEP = 8


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Says:
    """What the reference table prints in its type column."""

    text: str


@dataclass(frozen=True, slots=True)
class Beside:
    """A section whose keys stand beside those of a mapping; the reference table prints them below it."""

    section: type[Section]


def one_of(kind: str, words: Any) -> AfterValidator:
    def check(word: str) -> str:
        if word not in words:
            raise fault(f"unknown {kind} {quoted(word)}{meant(word, words)}")
        return word

    return AfterValidator(check)


def like(pattern: str, sentence: str) -> AfterValidator:
    """Texts of one form; `sentence` is said of those that have another."""
    form = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise fault(f"{quoted(text)} {sentence}")
        return text

    return AfterValidator(check)


def _distinct[T: Hashable](items: tuple[T, ...]) -> tuple[T, ...]:
    for place, item in enumerate(items):
        if item in items[:place]:
            raise fault(f"{quoted(item)} stands twice")
    return items


def _whole(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,8}", value, re.ASCII):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise fault("is empty" if value == "" else f"must be a whole number, not {_shown(value)}")


def _shown(value: Any) -> str:
    return quoted(value) if isinstance(value, str | int | float) else "a list or mapping"


def _not_a_reason(name: str) -> str:
    if name in REASONS:
        raise fault(f"{quoted(name)} is the name of a reason and cannot be a rule's")
    return name


Text = Annotated[str, Field(min_length=1, max_length=1000), Says("text")]
Whole = Annotated[int, BeforeValidator(_whole)]
type Many[T] = Annotated[tuple[T, ...], Field(min_length=1)]
type Some[T] = Annotated[tuple[T, ...], Field(min_length=1), AfterValidator(_distinct)]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
Name = Annotated[
    str,
    like(_NAME, "is not a name: letters, digits, `-`, `_` and `.`, at most 64"),
    Says("name"),
]
RuleName = Annotated[Name, AfterValidator(_not_a_reason), Says("name, sent in the header `phi-rule`")]
RoleOrAll = Annotated[str, like(rf"\*|{_NAME}", "is not the name of a role"), Says("role or `*`")]
Role = Annotated[Name, Says("role")]
MaskName = Annotated[Name, Says("mask, or `reveal`")]
_MODEL = r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}"
ModelName = Annotated[str, like(_MODEL, "is not the name of a model"), Says("model")]
ModelOrAll = Annotated[str, like(rf"\*|{_MODEL}", "is not the name of a model"), Says("model or `*`")]
Glob = Annotated[
    str,
    like(r"[A-Za-z0-9*?][A-Za-z0-9._:/@+*?-]{0,127}", "is not the name of a model, with `*` and `?` as wildcards"),
    Says("name, with `*` and `?`"),
]
Action = Annotated[str, one_of("action", ACTIONS), Says("action")]
ActionOrAll = Annotated[str, one_of("action", ACTIONS | {"*"}), Says("action")]
Purpose = Annotated[str, one_of("purpose", PURPOSES), Says("purpose")]
Algorithm = Annotated[str, one_of("algorithm", ALGORITHMS), Says("algorithm")]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Audience = Annotated[Some[Text], BeforeValidator(_as_list), Says("text, or a list of texts")]
Claim = Annotated[Text, Says("claim path")]
Claims = Annotated[Some[Text], BeforeValidator(_as_list), Says("claim path, or a list of them")]
Wanted = Annotated[Some[Text], BeforeValidator(_as_list), Says("claim path: text, or a list of texts")]
Context = Annotated[
    dict[
        Annotated[str, like(r"[a-z][a-z0-9-]{0,31}", "is not a name: small letters, digits and `-`, at most 32")], Claim
    ],
    Field(min_length=1, max_length=12),
    Says("name: claim path"),
]
GroupsAs = Annotated[str, one_of("word", {"list", "text", "words"}), Says("`list`, `text` or `words`")]
Proof = Annotated[str, one_of("word", {"as-bound", "dpop", "mtls"}), Says("`as-bound`, `dpop` or `mtls`")]


_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)
_DAY = 86_400
# A calendar's year and month in days, rounded up: what is to be kept so long is never dropped early.
_SECONDS = (366 * _DAY, 31 * _DAY, 7 * _DAY, _DAY, 3600, 60, 1)


def _duration(*, calendar: bool = False, least: int = 1, most: int = 366 * _DAY) -> BeforeValidator:
    def read(value: Any) -> Any:
        if isinstance(value, timedelta):
            return value
        found = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if not found:
            raise fault(f"{_shown(value)} is not a duration such as `PT30M` or `P7D`")
        if (found[1] or found[2]) and not calendar:
            raise fault(f"{quoted(value)} has no fixed length: write days, hours, minutes or seconds")
        seconds = sum(int(count) * size for count, size in zip(found.groups("0"), _SECONDS, strict=True))
        if not least <= seconds <= most:
            raise fault(f"{quoted(value)} is too {'short' if seconds < least else 'long'}")
        return timedelta(seconds=seconds)

    return BeforeValidator(read)


Duration = Annotated[timedelta, _duration(), Says("duration, e.g. `PT30M`")]
Leeway = Annotated[timedelta, _duration(least=0, most=300), Says("duration up to `PT5M`")]
BearerLife = Annotated[timedelta, _duration(most=900), Says("duration up to `PT15M`")]
KeyLife = Annotated[timedelta, _duration(least=3600, most=90 * _DAY), Says("duration from `PT1H` to `P90D`")]
Retention = Annotated[timedelta, _duration(calendar=True, most=100 * 366 * _DAY), Says("duration, e.g. `P6Y`")]


Issuer = Annotated[Text, AfterValidator(urls.issuer), Says("https URL (http on loopback)")]
KeySource = Annotated[Text, AfterValidator(urls.keys), Says("`discover`, JWKS URL or `file:PATH`")]
Endpoint = Annotated[Text, AfterValidator(urls.endpoint), Says("https URL (http on loopback)")]
UpstreamUrl = Annotated[Text, AfterValidator(urls.upstream), Says("`http(s)://HOST:PORT`")]
GrpcUrl = Annotated[Text, AfterValidator(urls.grpc), Says("`grpc(s)://HOST:PORT`")]
Credential = Annotated[Text, AfterValidator(urls.credential), Says("`env:NAME`")]


def _pattern(text: str) -> str:
    try:
        compile_pattern(text)
    except BadPatternError as error:
        raise fault(f"{quoted(text)} is not a pattern that RE2 can run: {error}") from None
    return text


Pattern = Annotated[Text, AfterValidator(_pattern), Says("RE2 pattern")]


def _path(text: str) -> str:
    try:
        steps(text)
    except BadPathError as error:
        raise fault(f"{quoted(text)} is not a path: it {error}") from None
    return text


def _hidden_as(name: str) -> str:
    if name not in ENTITIES:
        raise fault(f"unknown entity {quoted(name)}{meant(name, ENTITIES)}")
    return name


FieldPath = Annotated[Text, AfterValidator(_path), Says("path such as `$.patient.name`, `$.notes[*].text`, `$..mrn`")]
HiddenAs = Annotated[Text, AfterValidator(_hidden_as), Says("entity")]
Side = Annotated[str, one_of("word", {"request", "answer", "both"}), Says("`request`, `answer` or `both`")]


def _transform(value: Any) -> Transform:
    keep: Any = 4
    if isinstance(value, dict):
        if list(value) != ["keep-last"]:
            raise fault("must be a transform, or `{keep-last: N}`")
        keep, value = _whole(value["keep-last"]), "keep-last"
    if not isinstance(value, str):
        raise fault("must be a transform, or `{keep-last: N}`")
    if value not in TRANSFORMS:
        raise fault("is empty" if value == "" else f"unknown transform {quoted(value)}{meant(value, TRANSFORMS)}")
    if not 1 <= keep <= MAX_KEEP:
        raise fault(f"`keep-last` keeps 1 to {MAX_KEEP} characters")
    return Transform(value, keep)


_Scope = Annotated[str, one_of("scope", SCOPES), Says("`exchange`, `session`, `subject` or `organisation`")]
_Bias = Annotated[str, one_of("bias", BIASES), Says("`recall`, `balanced` or `precision`")]
_Undecodable = Annotated[str, one_of("word", UNDECODABLE), Says("`redact` or `permit`")]


class MaskOptions(Section):
    """What stands in a mask beside its entities."""

    scope: _Scope = Field(
        default="subject",
        description="within what the same value gets the same stand-in, and all dates move by the same days: one "
        "`exchange`, a `session`, all that one `subject` sees, or the whole `organisation`",
    )
    bias: _Bias = Field(
        default="balanced",
        description="how sure a finding must be to be hidden: `recall` (score .3) hides more, `precision` (.75) less "
        "than `balanced` (.5)",
    )
    undecodable: _Undecodable = Field(
        default="redact", description="what looks encoded and cannot be read: hidden, or let through"
    )


def _entity(name: str) -> str:
    if name != OTHER and name not in ENTITIES:
        raise fault(f"unknown entity {quoted(name)}{meant(name, ENTITIES | MaskOptions.model_fields.keys())}")
    return name


_Transform = Annotated[
    Transform, GetPydanticSchema(lambda _source, _handler: core_schema.no_info_plain_validator_function(_transform))
]
_Entity = Annotated[str, AfterValidator(_entity)]


def _mask(value: Any, read: Callable[[Any], Mapping[str, Transform]]) -> Mask:
    """A mask from its mapping: the options apart, the rest by `read`; all faults of both at once."""
    if isinstance(value, Mask):
        return value
    stated = value if isinstance(value, dict) else {}
    options, found = MaskOptions(), list[InitErrorDetails]()
    transforms: Mapping[str, Transform] = {}
    try:
        options = MaskOptions.model_validate({key: stated[key] for key in MaskOptions.model_fields if key in stated})
    except ValidationError as error:
        found += again(error)
    entities = {key: item for key, item in stated.items() if key not in MaskOptions.model_fields}
    try:
        transforms = read(entities if isinstance(value, dict) else value)
    except ValidationError as error:
        found += again(error)
    if found:
        raise ValidationError.from_exception_data("mask", found, hide_input=True)
    if OTHER not in transforms:
        raise fault(f"needs {quoted(OTHER)}: how everything else is hidden")
    return Mask("mask", transforms, **dict(options))


def again(error: ValidationError, *, skip: int = 0) -> list[InitErrorDetails]:
    """The faults of an inner validation, to be raised by the outer one; `skip` steps are left out of their places."""
    return [
        InitErrorDetails(
            type=PydanticCustomError("fault", "{sentence}", {"sentence": each["msg"]})
            if each["type"] == "fault"
            else each["type"],
            loc=each["loc"][skip:],
            input=each["input"],
            ctx=each.get("ctx", {}),
        )
        for each in error.errors(include_url=False)
    ]


def _mask_schema(_source: Any, handler: Callable[..., Any]) -> core_schema.CoreSchema:
    mapping = handler.generate_schema(dict[_Entity, _Transform])  # type: ignore[attr-defined]  # pydantic's handler
    return core_schema.no_info_wrap_validator_function(_mask, mapping)


MaskOf = Annotated[
    Mask,
    GetPydanticSchema(_mask_schema),
    Beside(MaskOptions),
    Says("entity: transform, with `OTHER`"),
]


def _version(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str) or str(value) != "1":
        raise fault("is empty" if value == "" else f"must be `1`, not {_shown(value)}")
    return 1


Version = Annotated[int, BeforeValidator(_version), Says("`1`")]
_SEAL_TO = re.compile(r"x25519:[A-Za-z0-9+/]{43}=|file:.{1,1000}")


def _seal_to(text: str) -> str:
    if not _SEAL_TO.fullmatch(text):  # not shown: it may be the private key
        raise fault("is neither `x25519:` with 44 characters of base64 nor `file:PATH`")
    return text


SealTo = Annotated[Text, AfterValidator(_seal_to), Says("`x25519:BASE64` or `file:PATH`")]
Bodies = Annotated[str, one_of("word", {"none", "masked", "sealed"}), Says("`none`, `masked` or `sealed`")]


def _yes(value: Any) -> Any:
    known = {"true": True, "false": False, True: True, False: False}
    if not isinstance(value, str | bool) or value not in known:
        raise fault("is empty" if value == "" else f"must be `true` or `false`, not {_shown(value)}")
    return known[value]


Yes = Annotated[bool, BeforeValidator(_yes), Says("`true` or `false`")]
Justified = Annotated[str, one_of("word", {"optional", "required"}), Says("`optional` or `required`")]
Opacity = Annotated[str, one_of("word", {"never", "permit"}), Says("`never` or `permit`")]
Grantable = Annotated[str, one_of("word", {"request"}), Says("`request`")]
RouteMatch = Annotated[
    str,
    like(r"[A-Z]{3,10} /[!-~]{0,500}", "is not a method and a path, as in `POST /predict`"),
    Says("`POST /predict`"),
]


def _places(match: str) -> str:
    if match.count("{model}") > 1:
        raise fault(f"{quoted(match)} has the model in two places")
    return match


RouteShape = Annotated[
    str,
    like(
        r"(?=.{1,300}\Z)(?:GET|POST) /(?![/.])(?:[A-Za-z0-9._~!$&'()*+,=:@-]|/(?![/.])|\{(?:model|version|id)\})*"
        r"(?:\?[A-Za-z0-9._=&-]{1,128})?",
        "is not a method and a path, as in `POST /predict`",
    ),
    AfterValidator(_places),
    Says("`GET` or `POST`, and a path"),
]


def _served(action: str) -> str:
    if action not in SERVED_ACTIONS:
        raise fault(f"{quoted(action)} is nothing that a model server does")
    return action


ServedAction = Annotated[Action, AfterValidator(_served), Says("action")]
RouteModel = Annotated[
    str,
    like(rf"{_MODEL}|\$\.[A-Za-z0-9_-]{{1,64}}", "is neither the name of a model nor a member such as `$.model`"),
    Says("model, or a member such as `$.model`"),
]
Answers = Annotated[
    Some[Annotated[str, one_of("form", {"json", "ndjson", "sse", "text"})]],
    BeforeValidator(_as_list),
    Says("`json`, `ndjson`, `sse` or `text`, or a list of them"),
]
Told = Annotated[
    str,
    one_of("word", {"either", "pieces", "cumulative", "whole"}),
    Says("`either`, `pieces`, `cumulative` or `whole`"),
]
TextPath = Annotated[
    str,
    like(r"\$(\.[A-Za-z0-9_-]{1,64}|\[(\*|\d{1,6})\]){1,32}", "is not a path such as `$.outputs[*].note`"),
    Says("path"),
]
