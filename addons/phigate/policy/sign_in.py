"""How people sign in to the console's page: at one of the policy's issuers, as a client of it (OIDC Core, 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from phigate.policy.fields import Credential, Section, Some, Text, like
from phigate.policy.fields import Issuer as IssuerUrl
from phigate.policy.sentences import fault, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.policy.tree import Path

OPENID = "openid"
_WORD = r"[\x21\x23-\x5b\x5d-\x7e]{1,128}"  # RFC 6749, 3.3


def _with_openid(words: tuple[str, ...]) -> tuple[str, ...]:
    if OPENID not in words:
        raise fault(f"needs {quoted(OPENID)}: without it nobody is told who signed in")
    return words


type Word = Annotated[Text, like(_WORD, "is not a scope: printable ASCII without blanks and quotes")]


class SignIn(Section):
    issuer: IssuerUrl = Field(description="one of `issuers`: whose people sign in, by code flow with PKCE")
    client_id: Text = Field(
        description="who the console is to the issuer; it redirects to `phi_console_url` with `/desk/callback`"
    )
    credential: Credential | None = Field(
        default=None, description="the console's secret there; without it it is a public client"
    )
    scopes: Annotated[Some[Word], AfterValidator(_with_openid)] = Field(
        default=(OPENID,), description="what is asked for, so that the issuer's bearer is for `audience`"
    )
    resource: Text | None = Field(
        default=None, description="the `resource` (RFC 8707) that some issuers want named for that"
    )


def people_sign_in_where_bearers_are_believed(policy: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Reads the file's plain values, as all checks do."""
    section, issuers = policy.get("sign_in"), policy.get("issuers")
    named = section.get("issuer") if isinstance(section, dict) else None
    if isinstance(named, str) and isinstance(issuers, list):
        known = [each.get("issuer") for each in issuers if isinstance(each, dict)]
        if named not in known:
            yield ("sign_in", "issuer"), f"{quoted(named)} is none of `issuers`"
