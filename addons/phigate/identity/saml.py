"""A SAML 2.0 assertion, once, for a gateway token (RFC 7522): what its provider signed, or the reason why not.

- Bytes that can be read in two ways are not parsed: UTF-8 only, no `<!` and no `<?` (no DTD, entity, comment, CDATA).
- One Assertion, one Signature at its one place, in the one shape that says "all of this element" and no more.
- The key is the pinned certificate's, whatever KeyInfo says. KeyInfo and all else outside the signature is never read.
- After that only what the signature was over is read: the tree that the verifier gives back, never the one that came.
- Nothing is optional because a provider forgot it. The statement that makes an `Asserted` is the last that can run.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from phigate.identity.claims import MAX_GROUPS, MAX_LIFETIME, _is_name
from phigate.identity.strict import from_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lxml.etree import _Element as Element

# It writes what it canonicalises, so all that an assertion says, at DEBUG; mitmproxy sets the root logger to that.
logging.getLogger("signxml").setLevel(logging.WARNING)

MAX_BYTES: Final = 128 * 1024
MAX_TEXT: Final = (MAX_BYTES + 2) // 3 * 4
MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 4000
MAX_ATTRIBUTES: Final = 32
"""Of one element; and as many namespaces in force on it."""
LEEWAY: Final = 60.0
MAX_AGE: Final = 3600.0
"""Seconds after its IssueInstant that an assertion is taken, whatever end it says (Entra ID says 70 minutes)."""

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED: Final = f"{DS}enveloped-signature"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
ENTITY: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
LASTING: Final = frozenset(
    {
        "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    }
)
OVERAGE: Final = "http://schemas.microsoft.com/claims/groups.link"
"""The attribute Entra ID sends in place of the groups when they are too many."""

type Reason = Literal[
    "too-large",
    "not-canonical",
    "not-utf8",
    "declaration-forbidden",
    "doctype",
    "comment",
    "cdata",
    "processing-instruction",
    "xml-invalid",
    "too-many-elements",
    "too-deep",
    "response-not-assertion",
    "encrypted",
    "not-an-assertion",
    "assertions-many",
    "xinclude",
    "attribute-forbidden",
    "id-invalid",
    "id-duplicate",
    "version-unsupported",
    "signature-missing",
    "signature-many",
    "signature-misplaced",
    "signature-malformed",
    "reference-malformed",
    "reference-mismatch",
    "canonicalization-forbidden",
    "transform-forbidden",
    "algorithm-forbidden",
    "key-info-forbidden",
    "issuer-missing",
    "issuer-invalid",
    "issuer-unknown",
    "issuer-ambiguous",
    "certificate-unusable",
    "certificate-expired",
    "signature-invalid",
    "digest-mismatch",
    "signed-differs",
    "condition-unknown",
    "element-unknown",
    "element-repeated",
    "date-invalid",
    "issued-in-future",
    "too-old",
    "subject-missing",
    "name-id-missing",
    "name-id-transient",
    "name-id-format",
    "name-id-qualifier",
    "name-id-invalid",
    "confirmation-missing",
    "confirmation-ambiguous",
    "confirmation-bound",
    "recipient-mismatch",
    "in-response-to",
    "confirmation-not-before",
    "confirmation-endless",
    "confirmation-over",
    "conditions-missing",
    "not-yet-valid",
    "expired",
    "audience-missing",
    "audience-mismatch",
    "authn-missing",
    "session-over",
    "lifetime-too-long",
    "groups-overage",
    "groups-invalid",
    "groups-too-many",
    "check-broke",
]

REASONS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        "too-large": "longer than any assertion we read",
        "not-canonical": "not the one base64url spelling of its bytes, with or without padding (RFC 7522 section 2.1)",
        "not-utf8": "not UTF-8, or it begins with a byte order mark",
        "declaration-forbidden": "the XML declaration is not that of XML 1.0 in UTF-8",
        "doctype": "it has a DOCTYPE or another declaration",
        "comment": "it has a comment: two readers may not agree on the text around it",
        "cdata": "it has a CDATA section",
        "processing-instruction": "it has a processing instruction",
        "xml-invalid": "it is not well-formed XML with namespaces",
        "too-many-elements": "more elements, attributes or namespaces than we read",
        "too-deep": "nested deeper than we read",
        "response-not-assertion": "a whole Response; the grant takes the Assertion alone",
        "encrypted": "it is encrypted, or holds what is",
        "not-an-assertion": "it is something else than a SAML 2.0 Assertion",
        "assertions-many": "it holds another Assertion or a protocol message",
        "xinclude": "it holds an XInclude element",
        "attribute-forbidden": "it has xml:id or xml:base",
        "id-invalid": "the Assertion has no ID, or one that is not a short plain name",
        "id-duplicate": "two attributes that may be taken for IDs have the same value",
        "version-unsupported": "its Version is not 2.0",
        "signature-missing": "it is not signed",
        "signature-many": "more than one Signature",
        "signature-misplaced": "the Signature does not stand in the Assertion, right after the Issuer",
        "signature-malformed": "the Signature is not SignedInfo, SignatureValue and perhaps KeyInfo",
        "reference-malformed": "SignedInfo does not hold exactly one plain Reference",
        "reference-mismatch": "the Reference is to something else than this Assertion",
        "canonicalization-forbidden": "the canonicalization is not exclusive C14N without comments",
        "transform-forbidden": "the transforms are not enveloped-signature and exclusive C14N, in this order",
        "algorithm-forbidden": "not RSA or ECDSA with SHA-256, SHA-384 or SHA-512",
        "key-info-forbidden": "KeyInfo holds more than names, values and certificates",
        "issuer-missing": "it does not begin with an Issuer",
        "issuer-invalid": "the Issuer is not a plain entity id (SAML core section 8.3.6)",
        "issuer-unknown": "the Issuer is none of the policy's SAML providers, byte for byte",
        "issuer-ambiguous": "the Issuer stands more than once in the policy",
        "certificate-unusable": "no certificate is pinned for the provider, or one cannot be read or is too weak",
        "certificate-expired": "no certificate pinned for the provider is within its dates",
        "signature-invalid": "the signature is not by a certificate pinned for the provider and within its dates",
        "digest-mismatch": "the content is not what was signed",
        "signed-differs": "what was signed is not this Assertion",
        "condition-unknown": "a condition we do not know, and so cannot meet (SAML core section 2.5.1)",
        "element-unknown": "an element outside the closed set",
        "element-repeated": "an element stands more often than it may",
        "date-invalid": "a date is missing, not xs:dateTime in UTC, or ends before it begins",
        "issued-in-future": "IssueInstant or AuthnInstant is yet to come",
        "too-old": "issued longer ago than we take an assertion",
        "subject-missing": "it has no Subject",
        "name-id-missing": "the Subject has no NameID",
        "name-id-transient": "the NameID is transient: it names nobody the next time",
        "name-id-format": "the NameID is none of persistent, emailAddress and unspecified",
        "name-id-qualifier": "the NameID is qualified by somebody else",
        "name-id-invalid": "the NameID is not a short printable string",
        "confirmation-missing": "no bearer SubjectConfirmation with its data",
        "confirmation-ambiguous": "more than one bearer SubjectConfirmation for us",
        "confirmation-bound": "the confirmation asks for a key, or names another entity",
        "recipient-mismatch": "no bearer SubjectConfirmation is for our token endpoint (Recipient)",
        "in-response-to": "it answers a request, and we sent none",
        "confirmation-not-before": "the confirmation has NotBefore, which a bearer's must not have",
        "confirmation-endless": "the confirmation has no NotOnOrAfter",
        "confirmation-over": "the confirmation's NotOnOrAfter is past",
        "conditions-missing": "it has no Conditions",
        "not-yet-valid": "the Conditions' NotBefore is yet to come",
        "expired": "the Conditions' NotOnOrAfter is past",
        "audience-missing": "no AudienceRestriction: it could be for anybody",
        "audience-mismatch": "an AudienceRestriction does not hold our audience",
        "authn-missing": "no AuthnStatement: it does not say that anybody signed in",
        "session-over": "a SessionNotOnOrAfter is past",
        "lifetime-too-long": "it says it lives longer than any bearer may",
        "groups-overage": "the provider left the groups out because they are too many (Entra ID)",
        "groups-invalid": "a group is not a short printable string",
        "groups-too-many": "more groups than we read",
        "check-broke": "a fault of our own while checking; refused to be safe",
    }
)
"""Every reason, each with its sentence for the engineer who asks why."""


class SamlRule(Protocol):
    """An entry of the policy's `saml`, as far as an assertion is concerned."""

    @property
    def entity_id(self) -> str: ...
    @property
    def audience(self) -> tuple[str, ...]: ...
    @property
    def groups_from(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """A SamlRule with its certificates at hand: PEM texts, each of one certificate or more."""

    entity_id: str
    audience: tuple[str, ...]
    groups_from: str
    certificates: tuple[str, ...]

    @classmethod
    def of(cls, rule: SamlRule, certificates: Sequence[str]) -> Provider:
        return cls(rule.entity_id, tuple(rule.audience), rule.groups_from, tuple(certificates))


@dataclass(frozen=True, slots=True)
class Asserted:
    """What an assertion proved: provider and subject, their groups, and how long it holds (seconds since the epoch)."""

    issuer: str
    id: str
    """The NameID."""
    groups: tuple[str, ...]
    expires: float
    """The earliest end it says, and never more than MAX_AGE after `issued`."""
    issued: float
    assertion: str
    """Its ID; it counts once only."""

    @property
    def once(self) -> str:
        """What to spend before it counts: no two assertions share it, for an ID has no blank."""
        return f"{self.issuer} {self.assertion}"

    @property
    def remember(self) -> float:
        """Until when to remember that it was spent: `expires` is too soon, for an assertion is taken LEEWAY longer."""
        return self.expires + 2 * LEEWAY


@dataclass(frozen=True, slots=True)
class SamlRefused:
    """Why an assertion is not believed."""

    reason: Reason


def decode_assertion(text: str) -> bytes | SamlRefused:
    """Decode the `assertion` parameter: base64url, padded in full or not at all (RFC 7522 section 2.1)."""
    if len(text) > MAX_TEXT:
        return SamlRefused("too-large")
    bare = text.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    raw = from_base64url(bare) if text in {bare, padded} else None
    return SamlRefused("not-canonical") if raw is None else raw


def check_assertion(raw: bytes, providers: Sequence[Provider], recipient: str, now: float) -> Asserted | SamlRefused:
    """Believe an assertion or refuse it with its reason; nothing is raised.

    `recipient` is the token endpoint's public URL, `now` seconds since the epoch. Whether it was used before is the
    caller's to know: spend `once` until `remember` (RFC 7522 section 3, SAML profiles section 4.1.4.5).
    """
    try:
        return _check(raw, providers, recipient, now)
    except Exception:  # noqa: BLE001 -- whatever we forgot, it must not open the gate or show the assertion
        return SamlRefused("check-broke")


def certificate_usable(pem: str) -> bool:
    """Tell whether a PEM text holds certificates, all of keys that we take: RSA from 2,048 bits on, P-256 to P-521."""
    return bool(_certificates_in(pem))


def _check(raw: bytes, providers: Sequence[Provider], recipient: str, now: float) -> Asserted | SamlRefused:
    root = _parse(raw)
    if isinstance(root, str):
        return SamlRefused(root)
    for unproven in BEFORE_SIGNATURE:
        reason = unproven(root)
        if reason is not None:
            return SamlRefused(reason)
    provider = _provider_of(root, providers)
    if isinstance(provider, str):
        return SamlRefused(provider)
    signed = _signed_by(provider, raw, now)
    if isinstance(signed, str):
        return SamlRefused(signed)
    if signed.tag != _saml("Assertion") or signed.get("ID") != root.get("ID"):
        return SamlRefused("signed-differs")
    return _believe(Case(signed, provider, recipient, now))


# -- bytes to a tree ------------------------------------------------------------------------------------------------

_DECLARATION: Final = re.compile(
    r"""<\?xml[ \t\r\n]+version=["']1\.0["']"""
    r"""(?:[ \t\r\n]+encoding=["'][Uu][Tt][Ff]-8["'])?(?:[ \t\r\n]+standalone=["'](?:yes|no)["'])?[ \t\r\n]*\?>"""
)
_MARKUP: Final[tuple[tuple[str, Reason], ...]] = (
    ("<!--", "comment"),
    ("<![CDATA[", "cdata"),
    ("<!", "doctype"),
    ("<?", "processing-instruction"),
)


def _parse(raw: bytes) -> Element | Reason:
    reason = _unreadable(raw)
    if reason is not None:
        return reason
    try:
        root = etree.fromstring(raw, _parser())
    except (etree.LxmlError, ValueError):
        return "xml-invalid"
    # Nothing of the kind can be left; if a parser ever sees it elsewhere than we look, it ends here.
    plain = root.getroottree().docinfo.internalDTD is None and all(isinstance(each.tag, str) for each in root.iter())
    return root if plain else "xml-invalid"


def _unreadable(raw: bytes) -> Reason | None:
    if len(raw) > MAX_BYTES:
        return "too-large"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "not-utf8"
    if text.startswith("\ufeff") or "\0" in text:  # a NUL: UTF-16 or UTF-32 of plain letters
        return "not-utf8"
    if text.count("<") > 2 * MAX_ELEMENTS:
        return "too-many-elements"
    declaration = _DECLARATION.match(text)
    if declaration is None and re.match(r"<\?xml[ \t\r\n]", text):
        return "declaration-forbidden"
    # In well-formed XML these stand nowhere but as markup: `<` cannot be in a text or an attribute.
    body = text[declaration.end() :] if declaration else text
    return next((reason for mark, reason in _MARKUP if mark in body), None)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        strip_cdata=False,
    )


def _saml(name: str) -> str:
    return f"{{{SAML}}}{name}"


def _ds(name: str) -> str:
    return f"{{{DS}}}{name}"


def _local(element: Element) -> str:
    return etree.QName(element).localname


def _space(element: Element) -> str | None:
    return etree.QName(element).namespace


def _tags(element: Element) -> list[str]:
    return [str(child.tag) for child in element]


def _text(element: Element | None) -> str | None:
    """All of an element's text, or None if it holds anything else."""
    return None if element is None or len(element) else element.text or ""


# -- before the signature: shapes alone, nothing is believed --------------------------------------------------------

XML: Final = "http://www.w3.org/XML/1998/namespace"
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}", re.ASCII)
_PREFIXES: Final = re.compile(r"[\w.#-]{1,64}(?: [\w.#-]{1,64}){0,15}", re.ASCII)
_CONTAINERS: Final = frozenset({"Assertion", "Response", "ArtifactResponse"})
_CIPHERED: Final = frozenset({"EncryptedAssertion", "EncryptedID", "NewEncryptedID", "EncryptedAttribute"})
_ENCRYPTION: Final = frozenset({"http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"})
_XINCLUDE: Final = frozenset({"http://www.w3.org/2001/XInclude", "http://www.w3.org/2003/XInclude"})
_METHODS: Final = frozenset(
    getattr(SignatureMethod, f"{kind}_SHA{size}") for kind in ("RSA", "ECDSA") for size in (256, 384, 512)
)
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_METHOD_NAMES: Final = frozenset(str(method.value) for method in _METHODS)
_DIGEST_NAMES: Final = frozenset(str(digest.value) for digest in _DIGESTS)


def _small(root: Element) -> Reason | None:
    level = [root]
    for _ in range(MAX_DEPTH):
        if any(len(each.attrib) > MAX_ATTRIBUTES or len(each.nsmap) > MAX_ATTRIBUTES for each in level):
            return "too-many-elements"
        level = [child for each in level for child in each]
    return "too-deep" if level else None


def _is_assertion(root: Element) -> Reason | None:
    if root.tag == f"{{{PROTOCOL}}}Response":
        return "response-not-assertion"
    if _local(root) in _CIPHERED or _space(root) in _ENCRYPTION:
        return "encrypted"
    return None if root.tag == _saml("Assertion") else "not-an-assertion"


def _nothing_foreign(root: Element) -> Reason | None:
    for element in root.iterdescendants():
        space, local = _space(element), _local(element)
        # Whatever namespace it has: some readers look at the local name alone.
        if local in _CONTAINERS or space == PROTOCOL:
            return "assertions-many"
        if local in _CIPHERED or space in _ENCRYPTION:
            return "encrypted"
        if space in _XINCLUDE:
            return "xinclude"
    return None


def _one_of_each_id(root: Element) -> Reason | None:
    if _IDENTIFIER.fullmatch(root.get("ID", "")) is None:
        return "id-invalid"
    seen: set[str] = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            space, local = etree.QName(str(name)).namespace, etree.QName(str(name)).localname
            if space == XML and local in {"id", "base"}:
                return "attribute-forbidden"
            if local.lower() == "id" and str(value) in seen:
                return "id-duplicate"
            if local.lower() == "id":
                seen.add(str(value))
    return None


def _version(root: Element) -> Reason | None:
    return None if root.get("Version") == "2.0" else "version-unsupported"


def _one_signature(root: Element) -> Reason | None:
    signatures = [each for each in root.iter() if _local(each) == "Signature"]
    if len(signatures) != 1:
        return "signature-many" if signatures else "signature-missing"
    if _tags(root)[:1] != [_saml("Issuer")]:
        return "issuer-missing"
    return None if _tags(root)[:2] == [_saml("Issuer"), _ds("Signature")] else "signature-misplaced"


def _plain_signature(root: Element) -> Reason | None:
    signature = root[1]
    parts = [_ds("SignedInfo"), _ds("SignatureValue")]
    if _tags(signature) not in (parts, [*parts, _ds("KeyInfo")]) or len(signature[1]):
        return "signature-malformed"
    if set(_tags(signature[2]) if len(signature) > 2 else ()) - {_ds("X509Data"), _ds("KeyValue"), _ds("KeyName")}:
        return "key-info-forbidden"
    info = signature[0]
    if _tags(info) != [_ds("CanonicalizationMethod"), _ds("SignatureMethod"), _ds("Reference")]:
        return "reference-malformed" if _tags(info)[2:] != [_ds("Reference")] else "signature-malformed"
    if not _canonical(info[0]):
        return "canonicalization-forbidden"
    return None if _named(info[1], _METHOD_NAMES) else "algorithm-forbidden"


def _plain_reference(root: Element) -> Reason | None:
    reference = root[1][0][2]
    if _tags(reference) != [_ds("Transforms"), _ds("DigestMethod"), _ds("DigestValue")] or len(reference[2]):
        return "reference-malformed"
    if reference.attrib.items() != [("URI", f"#{root.get('ID')}")]:
        return "reference-mismatch"
    transforms, digest = reference[0], reference[1]
    if _tags(transforms) != [_ds("Transform")] * 2:
        return "transform-forbidden"
    if not (_named(transforms[0], {ENVELOPED}) and _canonical(transforms[1])):
        return "transform-forbidden"
    return None if _named(digest, _DIGEST_NAMES) else "algorithm-forbidden"


def _named(element: Element, algorithms: frozenset[str] | set[str]) -> bool:
    # Nothing inside: a parameter is HMACOutputLength (CVE-2009-0217), XPath, a stylesheet, or one that we do not know.
    return len(element) == 0 and list(element.attrib) == ["Algorithm"] and element.get("Algorithm") in algorithms


def _canonical(element: Element) -> bool:
    if list(element.attrib) != ["Algorithm"] or element.get("Algorithm") != EXC_C14N:
        return False
    if len(element) == 0:
        return True
    prefixes = element[0]
    if len(element) > 1 or prefixes.tag != f"{{{EXC_C14N}}}InclusiveNamespaces" or len(prefixes):
        return False
    listed = prefixes.get("PrefixList", "")
    return list(prefixes.attrib) == ["PrefixList"] and _PREFIXES.fullmatch(listed) is not None


BEFORE_SIGNATURE: Final[tuple[Callable[[Element], Reason | None], ...]] = (
    _small,
    _is_assertion,
    _nothing_foreign,
    _one_of_each_id,
    _version,
    _one_signature,
    _plain_signature,
    _plain_reference,
)


# -- the signature --------------------------------------------------------------------------------------------------


def _provider_of(root: Element, providers: Sequence[Provider]) -> Provider | Reason:
    """Find the one provider that an assertion says it is from, byte for byte (RFC 7522 section 3)."""
    issuer = root[0]
    said = _text(issuer)
    # SAML core section 8.3.6: an entity id has no qualifier.
    if not said or set(issuer.attrib) - {"Format"} or issuer.get("Format", ENTITY) != ENTITY:
        return "issuer-invalid"
    found = [provider for provider in providers if provider.entity_id == said]
    if len(found) == 1:
        return found[0]
    return "issuer-ambiguous" if found else "issuer-unknown"


def _signed_by(provider: Provider, raw: bytes, now: float) -> Element | Reason:
    """Find what one of the provider's pinned certificates signed."""
    read = [_certificates_in(pem) for pem in provider.certificates]
    if not read or not all(read):
        return "certificate-unusable"
    time = datetime.fromtimestamp(now, tz=UTC)
    certificates = [each for some in read for each in some]
    current = [each for each in certificates if each.not_valid_before_utc <= time <= each.not_valid_after_utc]
    if not current:
        return "certificate-expired"
    outcomes = (_verified(raw, certificate, time) for certificate in current)
    return next((outcome for outcome in outcomes if outcome != "signature-invalid"), "signature-invalid")


def _verified(raw: bytes, certificate: x509.Certificate, time: datetime) -> Element | Reason:
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True,  # KeyInfo is not read at all: the key is the certificate's
        verification_time=time,
    )
    try:
        result = XMLVerifier().verify(
            raw, x509_cert=certificate, parser=_parser(), id_attribute="ID", expect_config=config
        )
    except InvalidDigest:
        return "digest-mismatch"
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError):
        return "signature-invalid"
    if not isinstance(result, VerifyResult) or result.signed_xml is None:
        return "signed-differs"
    return result.signed_xml


@lru_cache(maxsize=64)
def _certificates_in(pem: str) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM text; none at all if one of them is not usable."""
    try:
        certificates = tuple(x509.load_pem_x509_certificates(pem.encode("utf-8")))
        return certificates if all(map(_strong, certificates)) else ()
    except (ValueError, UnsupportedAlgorithm):
        return ()


def _strong(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 2048 and key.public_numbers().e >= 65537
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in {"secp256r1", "secp384r1", "secp521r1"}


# -- what was signed ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One assertion before the table: what was signed of it, its provider, our token endpoint, and the time."""

    signed: Element
    provider: Provider
    recipient: str
    now: float

    def all(self, *path: str) -> list[Element]:
        return self.signed.findall("/".join(map(_saml, path)))

    def one(self, *path: str) -> Element | None:
        return self.signed.find("/".join(map(_saml, path)))


def _believe(case: Case) -> Asserted | SamlRefused:
    for check in CHECKS:
        reason = check(case)
        if reason is not None:
            return SamlRefused(reason)
    groups = _groups_of(case)
    name_id, issued = _text(case.one("Subject", "NameID")), _date(case.signed.get("IssueInstant"))
    if isinstance(groups, str):
        return SamlRefused(groups)
    if name_id is None or issued is None:  # the table said otherwise
        return SamlRefused("check-broke")
    return Asserted(
        issuer=case.provider.entity_id,
        id=name_id,
        groups=groups,
        expires=min(_ends(case), issued + MAX_AGE),
        issued=issued,
        assertion=str(case.signed.get("ID")),
    )


_MANY: Final = MAX_ELEMENTS
_LEAF: Final[Mapping[str, int]] = {}
_STATEMENTS: Final = {"AuthnStatement": _MANY, "AttributeStatement": _MANY}
SHAPES: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "Assertion": {"Issuer": 1, "Subject": 1, "Conditions": 1, "Advice": 1, **_STATEMENTS},
        "Issuer": _LEAF,
        "Subject": {"NameID": 1, "SubjectConfirmation": _MANY},
        "NameID": _LEAF,
        "SubjectConfirmation": {"NameID": 1, "SubjectConfirmationData": 1},
        "Conditions": {"AudienceRestriction": _MANY, "OneTimeUse": 1, "ProxyRestriction": 1},
        "OneTimeUse": _LEAF,
        "ProxyRestriction": {"Audience": _MANY},
        "AudienceRestriction": {"Audience": _MANY},
        "Audience": _LEAF,
        "AuthnStatement": {"SubjectLocality": 1, "AuthnContext": 1},
        "SubjectLocality": _LEAF,
        "AttributeStatement": {"Attribute": _MANY},
        "Attribute": {"AttributeValue": _MANY},
    }
)
"""What an element may hold, and how often; what stands in one that has no row is not read, or looked at where it is."""


def _shape(case: Case) -> Reason | None:
    left = [case.signed]
    while left:
        element = left.pop()
        may = SHAPES.get(_local(element))
        if may is None:
            continue
        names = [_local(child) if _space(child) == SAML else "" for child in element]
        if not set(names) <= may.keys():
            return "condition-unknown" if _local(element) == "Conditions" else "element-unknown"
        if any(names.count(name) > most for name, most in may.items() if most == 1):
            return "element-repeated"
        left.extend(element)
    return None


def _same_issuer(case: Case) -> Reason | None:
    return None if _provider_of(case.signed, (case.provider,)) is case.provider else "signed-differs"


def _signed_version(case: Case) -> Reason | None:
    return _version(case.signed)


def _issued(case: Case) -> Reason | None:
    issued = _date(case.signed.get("IssueInstant"))
    if issued is None:
        return "date-invalid"
    if issued > case.now + LEEWAY:
        return "issued-in-future"
    return "too-old" if issued + MAX_AGE + LEEWAY <= case.now else None


def _subject(case: Case) -> Reason | None:
    if case.one("Subject") is None:
        return "subject-missing"
    name_id = case.one("Subject", "NameID")
    if name_id is None:
        return "name-id-missing"
    form = name_id.get("Format")
    if form == TRANSIENT:
        return "name-id-transient"
    if form is not None and form not in LASTING:
        return "name-id-format"
    provider = case.provider
    # SAML core section 8.3.7: qualified by the provider, for us. Qualified by anybody else it is another name.
    if name_id.get("NameQualifier", provider.entity_id) != provider.entity_id:
        return "name-id-qualifier"
    if name_id.get("SPNameQualifier") not in {None, *provider.audience}:
        return "name-id-qualifier"
    return None if _is_name(_text(name_id)) else "name-id-invalid"


def _confirmations(case: Case) -> list[Element]:
    """The data of the bearer confirmations that are for us."""
    bearers = [each for each in case.all("Subject", "SubjectConfirmation") if each.get("Method") == BEARER]
    every = [data for each in bearers for data in each.findall(_saml("SubjectConfirmationData"))]
    return [data for data in every if data.get("Recipient") == case.recipient != ""]


def _confirmation(case: Case) -> Reason | None:
    bearers = [each for each in case.all("Subject", "SubjectConfirmation") if each.get("Method") == BEARER]
    if not any(len(each) for each in bearers):
        return "confirmation-missing"
    ours = _confirmations(case)
    if len(ours) != 1:
        return "confirmation-ambiguous" if ours else "recipient-mismatch"
    (data,) = ours
    around = data.getparent()
    # A NameID beside the data names another who may bring it (SAML core section 2.4.1.1); KeyInfo in it asks for a key.
    if len(data) or around is None or len(around) != 1:
        return "confirmation-bound"
    if "InResponseTo" in data.attrib:
        return "in-response-to"
    if "NotBefore" in data.attrib:  # SAML profiles section 4.1.4.2
        return "confirmation-not-before"
    if "NotOnOrAfter" not in data.attrib:
        return "confirmation-endless"
    return _within(case, None, data.get("NotOnOrAfter"), "confirmation-over")


def _conditions(case: Case) -> Reason | None:
    conditions = case.one("Conditions")
    if conditions is None:
        return "conditions-missing"
    return _within(case, conditions.get("NotBefore"), conditions.get("NotOnOrAfter"), "expired")


def _within(case: Case, start: str | None, end: str | None, over: Reason) -> Reason | None:
    begins, ends = _date(start), _date(end)
    if (start is not None and begins is None) or (end is not None and ends is None):
        return "date-invalid"
    if begins is not None and ends is not None and begins >= ends:  # SAML core section 2.5.1.2
        return "date-invalid"
    if begins is not None and begins > case.now + LEEWAY:
        return "not-yet-valid"
    return over if ends is not None and ends + LEEWAY <= case.now else None


def _audience(case: Case) -> Reason | None:
    restrictions = case.all("Conditions", "AudienceRestriction")
    if not restrictions:
        return "audience-missing"
    # Audiences of one restriction are alternatives, restrictions are not (SAML core section 2.5.1.4).
    named = [{_text(audience) for audience in each} for each in restrictions]
    return "audience-mismatch" if any(each.isdisjoint(case.provider.audience) for each in named) else None


def _authn(case: Case) -> Reason | None:
    statements = case.all("AuthnStatement")
    if not statements:
        return "authn-missing"
    for statement in statements:
        at = _date(statement.get("AuthnInstant"))
        if at is None:
            return "date-invalid"
        if at > case.now + LEEWAY:
            return "issued-in-future"
        reason = _within(case, None, statement.get("SessionNotOnOrAfter"), "session-over")
        if reason is not None:
            return reason
    return None


def _lifetime(case: Case) -> Reason | None:
    # RFC 7522 section 3: an end unreasonably far away. Of what is left, MAX_AGE is taken.
    return "lifetime-too-long" if _ends(case) > case.now + MAX_LIFETIME + LEEWAY else None


def _ends(case: Case) -> float:
    said = [data.get("NotOnOrAfter") for data in _confirmations(case)]
    said += [each.get("NotOnOrAfter") for each in case.all("Conditions")]
    said += [each.get("SessionNotOnOrAfter") for each in case.all("AuthnStatement")]
    return min(date for text in said if (date := _date(text)) is not None)


CHECKS: Final[tuple[Callable[[Case], Reason | None], ...]] = (
    _shape,
    _signed_version,
    _same_issuer,
    _issued,
    _subject,
    _confirmation,
    _conditions,
    _audience,
    _authn,
    _lifetime,
)


def _groups_of(case: Case) -> tuple[str, ...] | Reason:
    """Read the groups of every attribute of that name; none is none, left out for their number is not."""
    attributes = case.all("AttributeStatement", "Attribute")
    ours = [each for each in attributes if each.get("Name") == case.provider.groups_from]
    if not ours and any(each.get("Name") == OVERAGE for each in attributes):
        return "groups-overage"
    groups = [_text(value) for each in ours for value in each]
    if len(groups) > MAX_GROUPS:
        return "groups-too-many"
    named = [group for group in groups if group is not None and _is_name(group)]
    return "groups-invalid" if len(named) != len(groups) else tuple(dict.fromkeys(named))


_DATE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", re.ASCII)


def _date(text: str | None) -> float | None:
    """Seconds since the epoch of an xs:dateTime in UTC, written with `Z` (SAML core section 1.3.3); else None."""
    found = _DATE.fullmatch(text or "")
    if found is None:
        return None
    try:
        whole = datetime.strptime(f"{found[1]}+0000", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
    return whole.timestamp() + float(found[2] or 0)
