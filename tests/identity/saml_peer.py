"""An identity provider of its own making: assertions written as text and signed by xmlsec, not by what checks them.

What xmlsec will not sign, `sign_by_hand` does, so that an attack fails for its own reason and not for a bad signature.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from lxml import etree

from phigate.identity.saml import BEARER, DS, ENVELOPED, EXC_C14N, PROTOCOL, SAML, Provider, check_assertion

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.identity.saml import Asserted, SamlRefused

NOW = 1_800_000_000.0
ISSUER = "https://idp.hospital.example/saml"
OTHER_ISSUER = "https://idp.university.example/saml"
RECIPIENT = "https://console.phigate.example/token"
GROUPS = "urn:oid:1.3.6.1.4.1.5923.1.5.1.1"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
XMLENC = "http://www.w3.org/2001/04/xmlenc#"
RSA_SHA256, SHA256 = f"{MORE}rsa-sha256", f"{XMLENC}sha256"
DIGESTS = {"256": SHA256, "384": f"{MORE}sha384", "512": f"{XMLENC}sha512"}
KINDS: dict[str, Callable[[], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-1024": lambda: rsa.generate_private_key(65537, 1024),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "k256": lambda: ec.generate_private_key(ec.SECP256K1()),
}


def at(seconds: float) -> str:
    """So many seconds from NOW, as SAML writes it."""
    return datetime.fromtimestamp(NOW + seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def private_key(name: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """The key of that name; what stands before its dot is its kind."""
    return KINDS[name.partition(".")[0]]()


@cache
def certificate(name: str, begins: float = -1e6, ends: float = 1e7) -> str:
    """A self-signed certificate of a key, as PEM; from and to are seconds from NOW."""
    key, called = private_key(name), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(NOW, tz=UTC)
    builder = x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(seconds=begins)).not_valid_after(now + timedelta(seconds=ends))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def provider(*names: str, **other: object) -> Provider:
    said = {"entity_id": ISSUER, "audience": ("phigate",), "groups_from": GROUPS}
    pinned = tuple(map(certificate, names or ("rsa",)))
    return Provider(**({**said, "certificates": pinned} | other))


def transforms(inside: str | None = None) -> str:
    usual = f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXC_C14N}"/>'
    return f"<ds:Transforms>{usual if inside is None else inside}</ds:Transforms>"


def reference(
    uri: str | None = "#_a1", *, digest: str = SHA256, within: str | None = None, value: str = "", more: str = ""
) -> str:
    where = "" if uri is None else f' URI="{uri}"'
    return (
        f"<ds:Reference{where}{more}>{transforms() if within is None else within}"
        f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue>{value}</ds:DigestValue></ds:Reference>'
    )


def template(  # what a Signature holds, each part as it shall be written
    *,
    c14n: str = f'<ds:CanonicalizationMethod Algorithm="{EXC_C14N}"/>',
    method: str = f'<ds:SignatureMethod Algorithm="{RSA_SHA256}"/>',
    references: str | None = None,
    key_info: str = "",
    after: str = "",
) -> str:
    return (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>{c14n}{method}'
        f"{reference() if references is None else references}</ds:SignedInfo>"
        f"<ds:SignatureValue/>{key_info}{after}</ds:Signature>"
    )


def method(algorithm: str) -> str:
    return f'<ds:SignatureMethod Algorithm="{algorithm}"/>'


def confirmation(data: str | None = None, *, how: str = BEARER, before: str = "", inside: str = "") -> str:
    said = f'Recipient="{RECIPIENT}" NotOnOrAfter="{at(300)}"' if data is None else data
    return (
        f'<saml:SubjectConfirmation Method="{how}">{before}'
        f"<saml:SubjectConfirmationData {said}>{inside}</saml:SubjectConfirmationData></saml:SubjectConfirmation>"
    )


def attribute(*values: str, name: str = GROUPS) -> str:
    written = "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
    return f'<saml:Attribute Name="{name}">{written}</saml:Attribute>'


def stated(*values: str, name: str = GROUPS) -> str:
    return f"<saml:AttributeStatement>{attribute(*values, name=name)}</saml:AttributeStatement>"


def audience(*names: str) -> str:
    written = "".join(f"<saml:Audience>{name}</saml:Audience>" for name in names)
    return f"<saml:AudienceRestriction>{written}</saml:AudienceRestriction>"


PARTS = {
    "id": "_a1",
    "version": "2.0",
    "issued": at(-10),
    "head": "",
    "issuer": f"<saml:Issuer>{ISSUER}</saml:Issuer>",
    "signature": template(),
    "name_id": "<saml:NameID>ann@hospital.example</saml:NameID>",
    "confirmation": confirmation(),
    "window": f'NotBefore="{at(-10)}" NotOnOrAfter="{at(300)}"',
    "audience": audience("phigate"),
    "authn": f'<saml:AuthnStatement AuthnInstant="{at(-20)}"/>',
    "attributes": stated("ward-staff", "research"),
    "more": "",
}


def assertion(**parts: str) -> str:
    """An honest assertion, its parts replaced by those given; the Signature is yet to be filled."""
    said = {**PARTS, **parts}
    subject = said.get("subject", "<saml:Subject>{name_id}{confirmation}</saml:Subject>").format_map(said)
    conditions = "<saml:Conditions {window}>{audience}</saml:Conditions>".format_map(said)
    said |= {"subject": subject, "conditions": parts.get("conditions", conditions)}
    return (
        '<saml:Assertion xmlns:saml="{saml}" ID="{id}" Version="{version}" IssueInstant="{issued}"{head}>'
        "{issuer}{signature}{subject}{conditions}{authn}{attributes}{more}</saml:Assertion>"
    ).format_map({**said, "saml": SAML})


def tree(text: str | bytes) -> etree._Element:
    return etree.fromstring(text.encode() if isinstance(text, str) else text)


def out(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="utf-8")


def _key(name: str) -> xmlsec.Key:
    form, no = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = private_key(name).private_bytes(serialization.Encoding.PEM, form, no)
    return xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.PEM, None)


def signature_of(text: str) -> str:
    """The Signature of an assertion, as it is written there."""
    return text[text.index("<ds:Signature ") : text.rindex("</ds:Signature>")] + "</ds:Signature>"


def sign(text: str, key: str = "rsa", *, secret: bytes | None = None) -> bytes:
    """Fill the first Signature of a text by xmlsec, with a key or, for HMAC, a secret."""
    root = tree(text)
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = _key(key) if secret is None else xmlsec.Key.from_binary_data(xmlsec.KeyData.HMAC, secret)
    context.sign(root.find(f".//{{{DS}}}Signature"))
    return out(root)


def signed(key: str = "rsa", /, **parts: str) -> bytes:
    return sign(assertion(**parts), key)


def sign_by_hand(text: str, digested: bytes | None = None, key: str = "rsa") -> bytes:
    """Fill the first Signature as a provider would that says yes to anything, over whatever is given.

    RSA with SHA-256 over the exclusive canonical form of SignedInfo, whatever algorithms that names; each
    empty DigestValue becomes that of `digested`, or of the Assertion without its Signature.
    """
    root = tree(text)
    signature = root.find(f".//{{{DS}}}Signature")
    if digested is None:
        bare = tree(text)
        inner = bare.find(f".//{{{DS}}}Signature")
        inner.getparent().remove(inner)
        digested = etree.tostring(bare, method="c14n", exclusive=True, with_comments=False)
    for value in signature.iterfind(f".//{{{DS}}}DigestValue"):
        value.text = value.text or base64.b64encode(hashlib.sha256(digested).digest()).decode()
    info = etree.tostring(signature.find(f"{{{DS}}}SignedInfo"), method="c14n", exclusive=True, with_comments=False)
    signing = private_key(key)
    assert isinstance(signing, rsa.RSAPrivateKey)
    raw = signing.sign(info, padding.PKCS1v15(), hashes.SHA256())
    signature.find(f"{{{DS}}}SignatureValue").text = base64.b64encode(raw).decode()
    return out(root)


def response(inside: str | bytes) -> bytes:
    """A whole Response around an assertion."""
    text = inside.decode() if isinstance(inside, bytes) else inside
    status = '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
    head = f'xmlns:samlp="{PROTOCOL}" ID="_r1" Version="2.0" IssueInstant="{at(-10)}"'
    return f"<samlp:Response {head}>{status}{text}</samlp:Response>".encode()


def check(
    raw: bytes, *, now: float = NOW, recipient: str = RECIPIENT, by: Provider | None = None
) -> Asserted | SamlRefused:
    return check_assertion(raw, (by or provider(),), recipient, now)
