"""SAML assertions that nobody must believe: each with where it is from and the reason it gets.

Wherever it is possible the provider's own key signed them, so that the reason is the attack and not a bad signature.
XSW: Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be" (USENIX Security 2012).
"""

from __future__ import annotations

import base64
import re
from functools import cache, partial

import pytest

from phigate.identity import saml
from phigate.identity.saml import DS, ENVELOPED, EXC_C14N, PROTOCOL, REASONS, SAML, SamlRefused
from tests.identity.saml_peer import (
    DIGESTS,
    ISSUER,
    MORE,
    NOW,
    OTHER_ISSUER,
    RECIPIENT,
    SHA256,
    XMLENC,
    assertion,
    at,
    audience,
    certificate,
    check,
    confirmation,
    method,
    provider,
    reference,
    response,
    sign,
    sign_by_hand,
    signature_of,
    signed,
    stated,
    template,
    transforms,
)

ADMIN = "admin@hospital.example"
NAMED_ADMIN = f"<saml:NameID>{ADMIN}</saml:NameID>"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
XENC = f'xmlns:xenc="{XMLENC}"'


@cache
def honest(**parts):
    return signed(**parts).decode()


def bare(text):
    return text.replace(signature_of(text), "")


def forged(signature="", **parts):
    """What the attacker wants to be read: the administrator, in an assertion of another ID."""
    return assertion(**{"id": "_evil", "name_id": NAMED_ADMIN, "signature": signature, **parts})


def within(signature, inside):
    """A Signature that holds something more, as its last part."""
    return signature.replace("</ds:Signature>", f"{inside}</ds:Signature>")


def swapped(old, new, **parts):
    """An honest assertion in which something is replaced after it was signed."""
    text = honest(**parts)
    assert old in text
    return text.replace(old, new, 1).encode()


def rewritten(pattern, new, **parts):
    """The same with a pattern, which may stand more than once."""
    text, count = re.subn(pattern, new, honest(**parts), flags=re.DOTALL)
    assert count
    return text.encode()


def with_signature(**knobs):
    return assertion(signature=template(**knobs))


def xsw(number):
    """The eight wrappings, in a Response."""
    text = honest()
    mine, theirs, signature = forged(), bare(text), signature_of(text)
    evil = forged(signature)
    objects = {
        1: lambda: response(forged(within(signature, f"<ds:Object>{response(theirs).decode()}</ds:Object>"))),
        2: lambda: response(response(theirs).decode() + evil),
        3: lambda: response(mine + text),
        4: lambda: response(mine.replace("</saml:Assertion>", f"{text}</saml:Assertion>")),
        5: lambda: response(evil + theirs),
        6: lambda: response(forged(within(signature, theirs))),
        7: lambda: response(f"<samlp:Extensions>{text}</samlp:Extensions>{mine}"),
        8: lambda: response(forged(within(signature, f"<ds:Object>{theirs}</ds:Object>"))),
    }
    return objects[number]()


def rooted(place):
    """The same wrappings where the forged Assertion itself is the root and the signed one is hidden in it."""
    text = honest()
    theirs, signature = bare(text), signature_of(text)
    key_info = f"<ds:KeyInfo>{theirs}</ds:KeyInfo>"
    places = {
        "object": lambda: forged(within(signature, f"<ds:Object>{theirs}</ds:Object>")),
        "object, signed whole": lambda: forged(within(signature, f"<ds:Object>{text}</ds:Object>")),
        "signature": lambda: forged(within(signature, theirs)),
        "key-info": lambda: forged(within(signature, key_info)),
        "advice": lambda: forged(signature, more=f"<saml:Advice>{theirs}</saml:Advice>"),
        "extensions": lambda: forged(
            signature, more=f'<samlp:Extensions xmlns:samlp="{PROTOCOL}">{theirs}</samlp:Extensions>'
        ),
        "attribute": lambda: forged(signature, attributes=stated(theirs)),
        "confirmation": lambda: forged(signature, confirmation=confirmation(inside=theirs)),
        "subject": lambda: forged(signature, name_id=NAMED_ADMIN + theirs),
        "end": lambda: forged(signature, more=theirs),
        "end, signed whole": lambda: forged(more=text),
        "beginning": lambda: forged(issuer=f"{text}<saml:Issuer>{ISSUER}</saml:Issuer>"),
        "conditions": lambda: forged(signature, audience=audience("phigate") + theirs),
        "same ID": lambda: forged(signature, id="_a1", more=theirs),
        "SAML 1.1": lambda: forged(signature, more=theirs.replace(SAML, "urn:oasis:names:tc:SAML:1.0:assertion")),
        "no namespace": lambda: forged(signature, more="<Assertion xmlns=''/>"),
    }
    return places[place]().encode()


def other_root(name, space=SAML):
    """An honest Assertion inside another root."""
    return f'<x:{name} xmlns:x="{space}">{honest()}</x:{name}>'.encode()


def keyed(inside, key="rsa"):
    return sign_by_hand(assertion(signature=template(key_info=f"<ds:KeyInfo>{inside}</ds:KeyInfo>")), key=key)


def x509_data(name):
    body = "".join(certificate(name).splitlines()[1:-1])
    return f"<ds:X509Data><ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data>"


def hmac(algorithm, secret, inside=""):
    way = f'<ds:SignatureMethod Algorithm="{algorithm}">{inside}</ds:SignatureMethod>'
    return sign(with_signature(method=way), secret=secret)


def zeros():
    """An ECDSA signature of two zeros, which says yes to everything where they are not looked at."""
    text = assertion(signature=template(method=method(f"{MORE}ecdsa-sha256")))
    raw = sign(text, "p256").decode()
    nothing = base64.b64encode(bytes(64)).decode()
    return re.sub(r"(<ds:SignatureValue>)[^<]*", rf"\g<1>{nothing}", raw).encode()


def swap_method(algorithm):
    """Signed honestly, under another algorithm's name."""
    return sign_by_hand(with_signature(method=method(algorithm)))


def swap_digest():
    """The forged content's own digest in the honest SignedInfo."""
    (forged_digest,) = re.findall("<ds:DigestValue>[^<]*", sign(assertion(name_id=NAMED_ADMIN)).decode())
    return re.sub("<ds:DigestValue>[^<]*", forged_digest, honest(name_id=NAMED_ADMIN.replace("admin", "ann"))).encode()


def prefixed(prefixes, times=1):
    listed = f'<ec:InclusiveNamespaces xmlns:ec="{EXC_C14N}" PrefixList="{prefixes}"/>' * times
    return f'<ds:CanonicalizationMethod Algorithm="{EXC_C14N}">{listed}</ds:CanonicalizationMethod>'


def bad_transform(inside, digested=None):
    return sign_by_hand(with_signature(references=reference(within=transforms(inside))), digested)


def entity(declaration, name="&x;"):
    text = honest().replace("ann@hospital.example", name)
    return f"<!DOCTYPE saml:Assertion [{declaration}]>{text}".encode()


LAUGHS = '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;&b;&b;&b;&b;">'
XSLT = (
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet version="1.0" '
    'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"/></xsl:stylesheet></ds:Transform>'
)
XPATH = (
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
    "<ds:XPath>not(ancestor-or-self::saml:Subject)</ds:XPath></ds:Transform>"
)
CUT = "<ds:HMACOutputLength>0</ds:HMACOutputLength>"
ENV, EXC = f'<ds:Transform Algorithm="{ENVELOPED}"/>', f'<ds:Transform Algorithm="{EXC_C14N}"/>'
SCHEMA = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format"
FORMAT_1 = "urn:oasis:names:tc:SAML:1.1:nameid-format"
ENCRYPTED = f"<xenc:EncryptedData {XENC}/>"
HERE = f'Recipient="{RECIPIENT}"'
END = f'NotOnOrAfter="{at(300)}"'

SOMOROVSKY, CORE, PROFILES = "Somorovsky et al. 2012", "SAML core", "SAML profiles 4.1.4.2"
RFC, DSIG, BEST = "RFC 7522 section 3", "XML Signature 1.1", "W3C XML Signature Best Practices"

WRAPPED = [
    *(
        (f"wrapping {number} of 8, in a Response", SOMOROVSKY, partial(xsw, number), "response-not-assertion")
        for number in range(1, 9)
    ),
    ("the signed one in an Object of its own Signature", SOMOROVSKY, partial(rooted, "object"), "assertions-many"),
    (
        "the signed one, its Signature too, in an Object",
        SOMOROVSKY,
        partial(rooted, "object, signed whole"),
        "assertions-many",
    ),
    ("the signed one in the Signature itself", SOMOROVSKY, partial(rooted, "signature"), "assertions-many"),
    ("the signed one in KeyInfo", SOMOROVSKY, partial(rooted, "key-info"), "assertions-many"),
    ("the signed one in Advice", SOMOROVSKY, partial(rooted, "advice"), "assertions-many"),
    ("the signed one in Extensions", "CVE-2011-1411", partial(rooted, "extensions"), "assertions-many"),
    ("the signed one in an AttributeValue", SOMOROVSKY, partial(rooted, "attribute"), "assertions-many"),
    ("the signed one in SubjectConfirmationData", SOMOROVSKY, partial(rooted, "confirmation"), "assertions-many"),
    ("the signed one in the Subject", SOMOROVSKY, partial(rooted, "subject"), "assertions-many"),
    ("the signed one in the Conditions", SOMOROVSKY, partial(rooted, "conditions"), "assertions-many"),
    (
        "the signed one at the end, its Signature lifted out",
        "CVE-2025-47949",
        partial(rooted, "end"),
        "assertions-many",
    ),
    ("the signed one whole at the end", "CVE-2016-5697", partial(rooted, "end, signed whole"), "assertions-many"),
    ("the signed one first", "CVE-2022-41912", partial(rooted, "beginning"), "assertions-many"),
    ("both with the same ID", SOMOROVSKY, partial(rooted, "same ID"), "assertions-many"),
    ("a SAML 1.1 Assertion inside", "parser differential", partial(rooted, "SAML 1.1"), "assertions-many"),
    ("an Assertion of no namespace inside", "parser differential", partial(rooted, "no namespace"), "assertions-many"),
    ("an honest Response", RFC, lambda: response(honest()), "response-not-assertion"),
    ("two Assertions in a Response", "CVE-2022-41912", lambda: response(honest() + forged()), "response-not-assertion"),
    ("an Assertion in Extensions as the root", SOMOROVSKY, partial(other_root, "Extensions"), "not-an-assertion"),
    (
        "an Assertion in a SOAP envelope",
        "McIntosh and Austel 2005",
        partial(other_root, "Envelope", "http://schemas.xmlsoap.org/soap/envelope/"),
        "not-an-assertion",
    ),
    ("two roots", "CVE-2022-39299", lambda: signed() + forged().encode(), "xml-invalid"),
    ("two roots, the forged one first", "CVE-2022-39299", lambda: forged().encode() + signed(), "xml-invalid"),
    (
        "an assertion of another namespace",
        "CVE-2025-25292",
        lambda: swapped(f'xmlns:saml="{SAML}"', f'xmlns:saml="{SAML}/"'),
        "not-an-assertion",
    ),
    (
        "a SAML 1.1 assertion",
        CORE,
        lambda: swapped(f'xmlns:saml="{SAML}"', 'xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion"'),
        "not-an-assertion",
    ),
]


SIGNATURES = [
    ("not signed", "CVE-2025-54419", assertion(signature="").encode, "signature-missing"),
    (
        "an empty Signature",
        DSIG,
        lambda: rewritten(r"(<ds:Signature [^>]*>).*(</ds:Signature>)", r"\1\2"),
        "signature-malformed",
    ),
    ("a Signature that was never filled", DSIG, assertion().encode, "signature-invalid"),
    (
        "an empty SignedInfo",
        DSIG,
        lambda: rewritten("<ds:SignedInfo>.*</ds:SignedInfo>", "<ds:SignedInfo/>"),
        "reference-malformed",
    ),
    ("no SignedInfo", DSIG, lambda: rewritten("<ds:SignedInfo>.*</ds:SignedInfo>", ""), "signature-malformed"),
    (
        "two SignedInfo",
        "CVE-2025-29774",
        lambda: rewritten("(<ds:SignedInfo>.*</ds:SignedInfo>)", r"\1\1"),
        "signature-malformed",
    ),
    (
        "no SignatureValue",
        DSIG,
        lambda: rewritten("<ds:SignatureValue>.*</ds:SignatureValue>", ""),
        "signature-malformed",
    ),
    ("an empty SignatureValue", DSIG, lambda: rewritten("(<ds:SignatureValue>)[^<]*", r"\1"), "signature-invalid"),
    (
        "an element in SignatureValue",
        DSIG,
        lambda: rewritten("(<ds:SignatureValue>)", r"\1<ds:X/>"),
        "signature-malformed",
    ),
    ("no Reference", DSIG, lambda: sign_by_hand(with_signature(references="")), "reference-malformed"),
    ("two References", BEST, lambda: sign(with_signature(references=reference() * 2)), "reference-malformed"),
    (
        "two References, the second to nothing",
        BEST,
        lambda: sign_by_hand(with_signature(references=reference() + reference("#_none"))),
        "reference-malformed",
    ),
    (
        "References in a Manifest",
        BEST,
        lambda: rewritten(
            "</ds:Signature>", f"<ds:Object><ds:Manifest>{reference()}</ds:Manifest></ds:Object></ds:Signature>"
        ),
        "signature-malformed",
    ),
    (
        "a Reference to the whole document",
        BEST,
        lambda: sign(with_signature(references=reference(""))),
        "reference-mismatch",
    ),
    (
        "a Reference without URI",
        DSIG,
        lambda: sign_by_hand(with_signature(references=reference(None))),
        "reference-mismatch",
    ),
    (
        "a Reference by XPointer",
        BEST,
        lambda: sign_by_hand(with_signature(references=reference("#xpointer(/)"))),
        "reference-mismatch",
    ),
    (
        "a Reference by XPointer to the ID",
        BEST,
        lambda: sign_by_hand(with_signature(references=reference("#xpointer(id('_a1'))"))),
        "reference-mismatch",
    ),
    (
        "a Reference to another address",
        "SSRF",
        lambda: sign_by_hand(with_signature(references=reference("http://169.254.169.254/"))),
        "reference-mismatch",
    ),
    (
        "a Reference to a file",
        "SSRF",
        lambda: sign_by_hand(with_signature(references=reference("file:///etc/passwd"))),
        "reference-mismatch",
    ),
    (
        "a Reference with two hash signs",
        "parser differential",
        lambda: sign_by_hand(with_signature(references=reference("##_a1"))),
        "reference-mismatch",
    ),
    (
        "a Reference with a blank",
        "parser differential",
        lambda: sign_by_hand(with_signature(references=reference("#_a1 "))),
        "reference-mismatch",
    ),
    (
        "a Reference of a Type",
        BEST,
        lambda: sign(with_signature(references=reference(more=f' Type="{DS}Object"'))),
        "reference-mismatch",
    ),
    (
        "a signature over another element only",
        BEST,
        lambda: sign(
            assertion(
                signature=template(references=reference("#_n", within=transforms(EXC))),
                name_id='<saml:NameID ID="_n">ann</saml:NameID>',
            )
        ),
        "reference-mismatch",
    ),
    (
        "a signature over the AttributeStatement, lifted to the root",
        BEST,
        lambda: swapped('URI="#_a1"', 'URI="#_other"'),
        "reference-mismatch",
    ),
    (
        "the ID moved to a part after signing",
        "CVE-2024-6800",
        lambda: swapped('ID="_a1"', 'ID="_a2"'),
        "reference-mismatch",
    ),
    ("both IDs moved", DSIG, lambda: rewritten("_a1", "_a2"), "signature-invalid"),
    ("two Signatures", BEST, lambda: rewritten("(<ds:Signature .*</ds:Signature>)", r"\1\1"), "signature-many"),
    (
        "a Signature in the Signature",
        BEST,
        lambda: within(honest(), f"<ds:Object>{signature_of(honest())}</ds:Object>").encode(),
        "signature-many",
    ),
    (
        "a second Signature of no namespace",
        "CVE-2025-25292",
        lambda: swapped("</saml:Assertion>", "<Signature/></saml:Assertion>"),
        "signature-many",
    ),
    (
        "a Signature of another namespace alone",
        "CVE-2025-25292",
        lambda: swapped(f'xmlns:ds="{DS}"', 'xmlns:ds="urn:x"'),
        "signature-misplaced",
    ),
    (
        "the Signature at the end",
        "XML schema of SAML",
        lambda: sign(assertion(signature="", more=template())),
        "signature-misplaced",
    ),
    (
        "the Signature first",
        "XML schema of SAML",
        lambda: sign(assertion(signature="", issuer=template() + f"<saml:Issuer>{ISSUER}</saml:Issuer>")),
        "issuer-missing",
    ),
    (
        "the Signature in the Subject",
        SOMOROVSKY,
        lambda: sign(assertion(signature="", name_id="<saml:NameID>ann</saml:NameID>" + template())),
        "signature-misplaced",
    ),
    (
        "the Signature in an AttributeValue",
        "CVE-2024-6800",
        lambda: sign(assertion(signature="", attributes=stated(template()))),
        "signature-misplaced",
    ),
    (
        "an Object in the Signature",
        "CVE-2024-45409",
        lambda: within(honest(), "<ds:Object/>").encode(),
        "signature-malformed",
    ),
    (
        "another DigestValue in an Object",
        "CVE-2024-45409",
        lambda: within(honest(), "<ds:Object><ds:DigestValue>AAAA</ds:DigestValue></ds:Object>").encode(),
        "signature-malformed",
    ),
    (
        "another DigestValue in an attribute",
        "CVE-2024-45409",
        lambda: swapped("research", f'<d:DigestValue xmlns:d="{DS}">AAAA</d:DigestValue>'),
        "digest-mismatch",
    ),
    (
        "two DigestValues",
        "CVE-2024-45409",
        lambda: rewritten("(<ds:DigestValue>.*</ds:DigestValue>)", r"\1\1"),
        "reference-malformed",
    ),
    (
        "a comment in DigestValue",
        "CVE-2025-29775",
        lambda: swapped("<ds:DigestValue>", "<ds:DigestValue><!--AAAA-->"),
        "comment",
    ),
    (
        "an element in DigestValue",
        "CVE-2025-29775",
        lambda: swapped("<ds:DigestValue>", "<ds:DigestValue><x/>"),
        "reference-malformed",
    ),
    (
        "an empty DigestValue",
        "CVE-2025-66568",
        lambda: rewritten("(<ds:DigestValue>)[^<]*", r"\1"),
        "signature-invalid",
    ),
    (
        "the digest of nothing",
        "CVE-2025-66568",
        lambda: sign_by_hand(assertion(name_id=NAMED_ADMIN), b""),
        "digest-mismatch",
    ),
    (
        "a namespace that cannot be canonicalised",
        "CVE-2025-66568",
        lambda: swapped("<saml:Subject>", '<saml:Subject xmlns:ns="1">'),
        "signature-invalid",
    ),
    ("the digest swapped for that of the forged content", DSIG, swap_digest, "signature-invalid"),
    ("signed by somebody else", DSIG, lambda: signed("rsa.attacker"), "signature-invalid"),
    (
        "signed by the key of another provider of the policy",
        DSIG,
        lambda: signed("rsa.university"),
        "signature-invalid",
    ),
    (
        "signed by somebody else, whose certificate is in KeyInfo",
        "CVE-2020-2021",
        lambda: keyed(x509_data("rsa.attacker"), "rsa.attacker"),
        "signature-invalid",
    ),
    (
        "signed by somebody else, the pinned certificate in KeyInfo",
        BEST,
        lambda: keyed(x509_data("rsa"), "rsa.attacker"),
        "signature-invalid",
    ),
    (
        "signed by somebody else, both certificates in KeyInfo",
        BEST,
        lambda: keyed(x509_data("rsa") + x509_data("rsa.attacker"), "rsa.attacker"),
        "signature-invalid",
    ),
    (
        "KeyInfo says where to fetch a key",
        "SSRF",
        lambda: keyed('<ds:RetrievalMethod URI="http://169.254.169.254/"/>'),
        "key-info-forbidden",
    ),
    ("KeyInfo with an encrypted key", BEST, lambda: keyed(f"<xenc:EncryptedKey {XENC}/>"), "encrypted"),
    (
        "KeyInfo with a SecurityTokenReference",
        "WS-Security",
        lambda: keyed('<w:SecurityTokenReference xmlns:w="urn:w"/>'),
        "key-info-forbidden",
    ),
    (
        "two KeyInfo",
        DSIG,
        lambda: sign_by_hand(with_signature(key_info="<ds:KeyInfo><ds:KeyName>a</ds:KeyName></ds:KeyInfo>" * 2)),
        "signature-malformed",
    ),
]

ALGORITHMS = [
    (
        "HMAC with the pinned certificate as secret",
        "key confusion",
        lambda: hmac(f"{MORE}hmac-sha256", certificate("rsa").encode()),
        "algorithm-forbidden",
    ),
    ("HMAC with an empty secret", "key confusion", lambda: swap_method(f"{MORE}hmac-sha256"), "algorithm-forbidden"),
    (
        "HMAC cut to nothing",
        "CVE-2009-0217",
        lambda: hmac(f"{MORE}hmac-sha256", b"x" * 32, CUT.replace("0", "128")),
        "algorithm-forbidden",
    ),
    (
        "HMACOutputLength on an RSA signature",
        "CVE-2009-0217",
        lambda: sign_by_hand(
            with_signature(method=method(f"{MORE}rsa-sha256").replace("/>", f">{CUT}</ds:SignatureMethod>"))
        ),
        "algorithm-forbidden",
    ),
    ("RSA with SHA-1", "RFC 9231", lambda: sign(with_signature(method=method(f"{DS}rsa-sha1"))), "algorithm-forbidden"),
    ("RSA with SHA-224", BEST, lambda: sign(with_signature(method=method(f"{MORE}rsa-sha224"))), "algorithm-forbidden"),
    ("RSA with MD5", "RFC 9231", lambda: swap_method(f"{MORE}rsa-md5"), "algorithm-forbidden"),
    ("DSA", BEST, lambda: swap_method(f"{DS}dsa-sha1"), "algorithm-forbidden"),
    ("no such algorithm", BEST, lambda: swap_method("none"), "algorithm-forbidden"),
    ("an empty algorithm", BEST, lambda: swap_method(""), "algorithm-forbidden"),
    ("no algorithm", BEST, lambda: sign_by_hand(with_signature(method="<ds:SignatureMethod/>")), "algorithm-forbidden"),
    (
        "two SignatureMethods",
        DSIG,
        lambda: sign_by_hand(with_signature(method=method(f"{MORE}rsa-sha256") * 2)),
        "reference-malformed",
    ),
    (
        "a digest by SHA-1",
        "SHAttered",
        lambda: sign(with_signature(references=reference(digest=f"{DS}sha1"))),
        "algorithm-forbidden",
    ),
    (
        "a digest by MD5",
        "SHAttered",
        lambda: sign_by_hand(with_signature(references=reference(digest=f"{MORE}md5"))),
        "algorithm-forbidden",
    ),
    (
        "a digest by no such algorithm",
        DSIG,
        lambda: sign_by_hand(with_signature(references=reference(digest="none"))),
        "algorithm-forbidden",
    ),
    (
        "the digest's algorithm swapped after signing",
        DSIG,
        lambda: swapped(f'DigestMethod Algorithm="{SHA256}"', f'DigestMethod Algorithm="{DIGESTS["512"]}"'),
        "signature-invalid",
    ),
    (
        "the signature's algorithm swapped after signing",
        DSIG,
        lambda: swapped("rsa-sha256", "rsa-sha512"),
        "signature-invalid",
    ),
    ("ECDSA said of an RSA signature", DSIG, lambda: swapped("rsa-sha256", "ecdsa-sha256"), "signature-invalid"),
    (
        "inclusive C14N of SignedInfo",
        "the prefix of a wrapper",
        lambda: sign(with_signature(c14n=f'<ds:CanonicalizationMethod Algorithm="{C14N}"/>')),
        "canonicalization-forbidden",
    ),
    (
        "C14N with comments of SignedInfo",
        "CVE-2017-11427",
        lambda: sign(with_signature(c14n=f'<ds:CanonicalizationMethod Algorithm="{EXC_C14N}WithComments"/>')),
        "canonicalization-forbidden",
    ),
    (
        "no such canonicalization",
        DSIG,
        lambda: sign_by_hand(with_signature(c14n='<ds:CanonicalizationMethod Algorithm="urn:x"/>')),
        "canonicalization-forbidden",
    ),
    (
        "a stylesheet as canonicalization",
        "CVE-2022-34169",
        lambda: sign_by_hand(
            with_signature(c14n='<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>')
        ),
        "canonicalization-forbidden",
    ),
    (
        "thousands of prefixes to canonicalise",
        "denial of service",
        lambda: sign_by_hand(with_signature(c14n=prefixed(" ".join(f"p{n}" for n in range(5000))))),
        "canonicalization-forbidden",
    ),
    (
        "two InclusiveNamespaces",
        DSIG,
        lambda: sign_by_hand(with_signature(c14n=prefixed("a", 2))),
        "canonicalization-forbidden",
    ),
    (
        "inclusive C14N as transform",
        "the prefix of a wrapper",
        lambda: sign(with_signature(references=reference(within=transforms(ENV + EXC.replace(EXC_C14N, C14N))))),
        "transform-forbidden",
    ),
    (
        "C14N with comments as transform",
        "CVE-2017-11427",
        lambda: sign(
            with_signature(references=reference(within=transforms(ENV + EXC.replace("n#", "n#WithComments"))))
        ),
        "transform-forbidden",
    ),
    ("no transform", DSIG, lambda: bad_transform(""), "transform-forbidden"),
    (
        "no Transforms",
        DSIG,
        lambda: sign_by_hand(with_signature(references=reference(within=" "))),
        "reference-malformed",
    ),
    ("not enveloped", DSIG, lambda: bad_transform(EXC), "transform-forbidden"),
    ("not canonicalised", DSIG, lambda: bad_transform(ENV), "transform-forbidden"),
    ("transforms in the other order", DSIG, lambda: bad_transform(EXC + ENV), "transform-forbidden"),
    ("enveloped twice", DSIG, lambda: bad_transform(ENV + ENV + EXC), "transform-forbidden"),
    (
        "a stylesheet that makes everything nothing",
        "CVE-2022-34169",
        lambda: bad_transform(ENV + XSLT + EXC, b""),
        "transform-forbidden",
    ),
    (
        "a stylesheet in place of the canonicalization",
        "Hill 2007",
        lambda: bad_transform(ENV + XSLT, b""),
        "transform-forbidden",
    ),
    ("an XPath that leaves the Subject out", BEST, lambda: bad_transform(ENV + XPATH + EXC), "transform-forbidden"),
    (
        "an XPath inside the enveloped transform",
        BEST,
        lambda: bad_transform(ENV.replace("/>", "><ds:XPath>0</ds:XPath></ds:Transform>") + EXC),
        "transform-forbidden",
    ),
    (
        "a base64 transform",
        BEST,
        lambda: bad_transform(ENV + f'<ds:Transform Algorithm="{DS}base64"/>' + EXC, b""),
        "transform-forbidden",
    ),
    (
        "a decryption transform",
        BEST,
        lambda: bad_transform(ENV + '<ds:Transform Algorithm="http://www.w3.org/2002/07/decrypt#XML"/>' + EXC),
        "transform-forbidden",
    ),
    (
        "no such transform",
        BEST,
        lambda: bad_transform(ENV + '<ds:Transform Algorithm="urn:x"/>' + EXC),
        "transform-forbidden",
    ),
]

SPELLINGS = [
    ("a comment in the NameID", "CVE-2017-11427", lambda: swapped("ann@hospital", "ann@<!---->hospital"), "comment"),
    (
        "a comment that hides the end of the NameID",
        "CVE-2017-11428",
        lambda: swapped(ADMIN, f"{ADMIN}<!---->", name_id=f"<saml:NameID>{ADMIN}.evil.example</saml:NameID>"),
        "comment",
    ),
    ("a comment in a group", "CVE-2017-11430", lambda: swapped("ward-staff", "ward-<!---->staff"), "comment"),
    ("a comment in the Issuer", "CVE-2017-11429", lambda: swapped(ISSUER, f"{ISSUER}<!---->"), "comment"),
    ("a comment before the Assertion", "CVE-2025-25291", lambda: b"<!---->" + signed(), "comment"),
    ("a comment after the Assertion", "CVE-2025-25291", lambda: signed() + b"<!---->", "comment"),
    (
        "a comment in SignedInfo",
        "CVE-2025-29775",
        lambda: swapped("<ds:SignedInfo>", "<ds:SignedInfo><!---->"),
        "comment",
    ),
    (
        "a CDATA section in the NameID",
        "CVE-2017-11427",
        lambda: swapped("ann@hospital", "<![CDATA[ann@]]>hospital"),
        "cdata",
    ),
    (
        "an Assertion in a CDATA section",
        "CVE-2025-25291",
        lambda: swapped("research", f"<![CDATA[{forged()}]]>"),
        "cdata",
    ),
    (
        "a processing instruction in the NameID",
        "CVE-2017-11427",
        lambda: swapped("ann@hospital", "ann@<?x y?>hospital"),
        "processing-instruction",
    ),
    (
        "a processing instruction that was signed",
        "CVE-2017-11427",
        lambda: signed(name_id=f"<saml:NameID>{ADMIN}<?x y?>.evil.example</saml:NameID>"),
        "processing-instruction",
    ),
    (
        "a stylesheet for the browser",
        "XXE",
        lambda: b'<?xml-stylesheet href="http://169.254.169.254/"?>' + signed(),
        "processing-instruction",
    ),
    ("a processing instruction at the end", "CVE-2025-25291", lambda: signed() + b"<?x y?>", "processing-instruction"),
    ("a DOCTYPE alone", "CVE-2025-25291", lambda: b"<!DOCTYPE x>" + signed(), "doctype"),
    ("an entity for the NameID", "CVE-2025-25291", lambda: entity(f'<!ENTITY x "{ADMIN}">'), "doctype"),
    ("an entity from a file", "XXE", lambda: entity('<!ENTITY x SYSTEM "file:///etc/passwd">'), "doctype"),
    ("an entity from the network", "XXE", lambda: entity('<!ENTITY x SYSTEM "http://169.254.169.254/">'), "doctype"),
    (
        "a parameter entity",
        "XXE",
        lambda: entity('<!ENTITY % p SYSTEM "http://169.254.169.254/"> %p;', "ann"),
        "doctype",
    ),
    ("entities of entities", "billion laughs", lambda: entity(LAUGHS), "doctype"),
    (
        "one entity many times",
        "quadratic blow-up",
        lambda: entity(f'<!ENTITY x "{"a" * 9000}">', "&x;" * 9000),
        "doctype",
    ),
    (
        "a DTD from elsewhere",
        "XXE",
        lambda: b'<!DOCTYPE x SYSTEM "http://169.254.169.254/x.dtd">' + signed(),
        "doctype",
    ),
    (
        "a DTD that gives attributes",
        "Mainka et al. 2014",
        lambda: b'<!DOCTYPE x [<!ATTLIST saml:NameID Format CDATA "x">]>' + signed(),
        "doctype",
    ),
    (
        "a DTD that says which attribute is the ID",
        "CVE-2025-25292",
        lambda: b"<!DOCTYPE x [<!ATTLIST x a ID #IMPLIED>]>" + signed(),
        "doctype",
    ),
    ("a DOCTYPE in lower case", "CVE-2025-25291", lambda: b"<!doctype x>" + signed(), "doctype"),
    ("an entity nobody declared", "CVE-2025-25291", lambda: swapped("ann@hospital", "ann&x;hospital"), "xml-invalid"),
    ("a reference to NUL", "parser differential", lambda: swapped("ann@hospital", f"{ADMIN}&#0;"), "xml-invalid"),
    ("a NUL after the name", "parser differential", lambda: swapped("ann@hospital", f"{ADMIN}\0"), "not-utf8"),
    ("text after a NUL", "parser differential", lambda: signed() + b"\0" + forged().encode(), "not-utf8"),
    ("UTF-16", "parser differential", lambda: honest().encode("utf-16"), "not-utf8"),
    ("UTF-16 without its mark", "parser differential", lambda: honest().encode("utf-16-be"), "not-utf8"),
    ("UTF-32", "parser differential", lambda: honest().encode("utf-32-le"), "not-utf8"),
    ("UTF-8 with a mark", "parser differential", lambda: b"\xef\xbb\xbf" + signed(), "not-utf8"),
    ("UTF-7", "parser differential", lambda: honest().replace("+", "+-").replace("<", "+ADw-").encode(), "xml-invalid"),
    (
        "said to be UTF-7",
        "parser differential",
        lambda: b'<?xml version="1.0" encoding="UTF-7"?>' + signed(),
        "declaration-forbidden",
    ),
    (
        "said to be UTF-16",
        "parser differential",
        lambda: b'<?xml version="1.0" encoding="UTF-16"?>' + signed(),
        "declaration-forbidden",
    ),
    (
        "said to be Latin-1",
        "parser differential",
        lambda: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + signed(),
        "declaration-forbidden",
    ),
    ("EBCDIC", "parser differential", lambda: honest().encode("cp037"), "not-utf8"),
    (
        "Latin-1",
        "parser differential",
        lambda: honest(name_id="<saml:NameID>j\xf6rg</saml:NameID>").encode("latin-1"),
        "not-utf8",
    ),
    ("overlong UTF-8", "CVE-2008-2938", lambda: signed().replace(b"ann@", b"ann\xc1\x80"), "not-utf8"),
    ("a surrogate in UTF-8", "CESU-8", lambda: signed().replace(b"ann@", b"ann\xed\xa0\x80"), "not-utf8"),
    ("XML 1.1", "parser differential", lambda: b'<?xml version="1.1"?>' + signed(), "declaration-forbidden"),
    (
        "two declarations",
        "parser differential",
        lambda: b'<?xml version="1.0"?><?xml version="1.0"?>' + signed(),
        "processing-instruction",
    ),
    ("text before the Assertion", "parser differential", lambda: b"x" + signed(), "xml-invalid"),
    ("text after the Assertion", "parser differential", lambda: signed() + b"x", "xml-invalid"),
    ("nothing", "parser differential", lambda: b"", "xml-invalid"),
    ("an element left open", "parser differential", lambda: signed()[:-1], "xml-invalid"),
    (
        "a prefix of no namespace",
        "CVE-2025-25292",
        lambda: swapped("<saml:Subject>", "<x:y/><saml:Subject>"),
        "xml-invalid",
    ),
    ("an attribute twice", "parser differential", lambda: swapped('ID="_a1"', 'ID="_a1" ID="_a2"'), "xml-invalid"),
    (
        "an attribute twice under two prefixes",
        "CVE-2025-25292",
        lambda: swapped('ID="_a1"', 'ID="_a1" xmlns:a="urn:x" xmlns:b="urn:x" a:i="1" b:i="2"'),
        "xml-invalid",
    ),
    (
        "an XInclude",
        "XInclude",
        lambda: signed(more='<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'),
        "xinclude",
    ),
    (
        "an XInclude beside the signed",
        "XInclude",
        lambda: swapped("research", '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="x"/>'),
        "xinclude",
    ),
    (
        "xml:id",
        "CVE-2011-1411",
        lambda: swapped("<saml:Subject>", '<saml:Subject xml:id="_a1">'),
        "attribute-forbidden",
    ),
    ("xml:id that was signed", "CVE-2011-1411", lambda: signed(head=' xml:id="_x"'), "attribute-forbidden"),
    ("xml:base", "parser differential", lambda: signed(head=' xml:base="http://evil.example/"'), "attribute-forbidden"),
    (
        "the ID on another element too",
        "CVE-2011-1411",
        lambda: swapped("<saml:Subject>", '<saml:Subject ID="_a1">'),
        "id-duplicate",
    ),
    ("the ID as Id", "CVE-2011-1411", lambda: swapped("<saml:Subject>", '<saml:Subject Id="_a1">'), "id-duplicate"),
    ("the ID as id", "CVE-2011-1411", lambda: swapped("<saml:Subject>", '<saml:Subject id="_a1">'), "id-duplicate"),
    (
        "the ID in a namespace",
        "CVE-2011-1411",
        lambda: swapped("<saml:Subject>", '<saml:Subject xmlns:x="urn:x" x:ID="_a1">'),
        "id-duplicate",
    ),
    (
        "the ID of the Signature",
        "CVE-2011-1411",
        lambda: swapped("<ds:Signature ", '<ds:Signature Id="_a1" '),
        "id-duplicate",
    ),
    ("no ID", CORE, lambda: swapped(' ID="_a1"', ""), "id-invalid"),
    ("an empty ID", CORE, lambda: swapped('ID="_a1"', 'ID=""'), "id-invalid"),
    ("an ID that is no name", CORE, lambda: swapped('ID="_a1"', 'ID="x\'] | //*"'), "id-invalid"),
    ("an ID of 300 letters", CORE, lambda: swapped('ID="_a1"', f'ID="{"a" * 300}"'), "id-invalid"),
    ("an ID in another case", CORE, lambda: swapped(' ID="_a1"', ' Id="_a1"'), "id-invalid"),
    ("130 KB", "denial of service", lambda: signed() + b" " * 130_000, "too-large"),
    ("thousands of elements", "denial of service", lambda: swapped("research", "<x/>" * 9_000), "too-many-elements"),
    ("two hundred deep", "denial of service", lambda: swapped("research", "<x>" * 200 + "</x>" * 200), "too-deep"),
    (
        "seventeen deep",
        "denial of service",
        lambda: signed(attributes=stated("<x>" * 14 + "</x>" * 14)),
        "too-deep",
    ),
    (
        "a thousand attributes",
        "denial of service",
        lambda: swapped('ID="_a1"', 'ID="_a1" ' + " ".join(f'a{n}="x"' for n in range(1000))),
        "too-many-elements",
    ),
    (
        "a thousand namespaces",
        "Hill 2007",
        lambda: swapped('ID="_a1"', 'ID="_a1" ' + " ".join(f'xmlns:a{n}="u:{n}"' for n in range(1000))),
        "too-many-elements",
    ),
    (
        "an EncryptedAssertion",
        "CVE-2024-4985",
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}">{ENCRYPTED}</saml:EncryptedAssertion>'.encode,
        "encrypted",
    ),
    ("EncryptedData alone", "Jager and Somorovsky 2011", ENCRYPTED.encode, "encrypted"),
    (
        "an EncryptedID",
        "Jager and Somorovsky 2011",
        lambda: signed(name_id=f"<saml:EncryptedID>{ENCRYPTED}</saml:EncryptedID>"),
        "encrypted",
    ),
    (
        "an EncryptedAttribute",
        "Jager and Somorovsky 2011",
        lambda: signed(
            attributes=stated()
            .replace("saml:Attribute ", "saml:EncryptedAttribute ")
            .replace("saml:Attribute>", "saml:EncryptedAttribute>")
        ),
        "encrypted",
    ),
    ("an empty EncryptedID", CORE, lambda: signed(name_id="<saml:EncryptedID/>"), "encrypted"),
    (
        "an EncryptedAssertion in Advice",
        CORE,
        lambda: signed(more="<saml:Advice><saml:EncryptedAssertion/></saml:Advice>"),
        "encrypted",
    ),
]

CONTENT = [
    ("the NameID changed", DSIG, lambda: swapped("ann@hospital.example", ADMIN), "digest-mismatch"),
    ("a group added", DSIG, lambda: swapped("research", "privacy"), "digest-mismatch"),
    (
        "the audience changed",
        DSIG,
        lambda: swapped(">other<", ">phigate<", audience=audience("other")),
        "digest-mismatch",
    ),
    ("the end moved", DSIG, lambda: rewritten(at(300), at(600)), "digest-mismatch"),
    ("an attribute added", DSIG, lambda: swapped("<saml:NameID>", '<saml:NameID x="">'), "digest-mismatch"),
    ("a blank added", DSIG, lambda: swapped("</saml:Assertion>", " </saml:Assertion>"), "digest-mismatch"),
    ("Version 1.1", CORE, lambda: signed(version="1.1"), "version-unsupported"),
    ("Version 2.1", CORE, lambda: signed(version="2.1"), "version-unsupported"),
    ("no Version", CORE, lambda: swapped(' Version="2.0"', ""), "version-unsupported"),
    ("no Issuer", RFC, lambda: signed(issuer=""), "issuer-missing"),
    ("an empty Issuer", RFC, lambda: signed(issuer="<saml:Issuer/>"), "issuer-invalid"),
    ("two Issuers", CORE, lambda: signed(conditions=f"<saml:Issuer>{ISSUER}</saml:Issuer>"), "element-repeated"),
    (
        "an Issuer of another format",
        CORE,
        lambda: signed(issuer=f'<saml:Issuer Format="{FORMAT}:persistent">{ISSUER}</saml:Issuer>'),
        "issuer-invalid",
    ),
    (
        "an Issuer with a qualifier",
        CORE,
        lambda: signed(issuer=f'<saml:Issuer NameQualifier="x">{ISSUER}</saml:Issuer>'),
        "issuer-invalid",
    ),
    (
        "an element in the Issuer",
        CORE,
        lambda: signed(issuer=f"<saml:Issuer>{ISSUER}<x/></saml:Issuer>"),
        "issuer-invalid",
    ),
    (
        "an unknown Issuer",
        RFC,
        lambda: signed(issuer="<saml:Issuer>https://evil.example</saml:Issuer>"),
        "issuer-unknown",
    ),
    (
        "an Issuer with a slash more",
        RFC,
        lambda: signed(issuer=f"<saml:Issuer>{ISSUER}/</saml:Issuer>"),
        "issuer-unknown",
    ),
    (
        "an Issuer in other case",
        RFC,
        lambda: signed(issuer=f"<saml:Issuer>{ISSUER.upper()}</saml:Issuer>"),
        "issuer-unknown",
    ),
    ("an Issuer with blanks", RFC, lambda: signed(issuer=f"<saml:Issuer> {ISSUER} </saml:Issuer>"), "issuer-unknown"),
    (
        "the Issuer changed to another provider of the policy",
        DSIG,
        lambda: swapped(ISSUER, OTHER_ISSUER),
        "signature-invalid",
    ),
    ("no Subject", RFC, lambda: signed(subject=""), "subject-missing"),
    ("two Subjects", CORE, lambda: signed(more=f"<saml:Subject>{NAMED_ADMIN}</saml:Subject>"), "element-repeated"),
    ("no NameID", RFC, lambda: signed(name_id=""), "name-id-missing"),
    ("two NameIDs", CORE, lambda: signed(name_id=NAMED_ADMIN * 2), "element-repeated"),
    ("a BaseID", CORE, lambda: signed(name_id="<saml:BaseID/>"), "element-unknown"),
    ("an empty NameID", CORE, lambda: signed(name_id="<saml:NameID/>"), "name-id-invalid"),
    (
        "an element in the NameID",
        CORE,
        lambda: signed(name_id=f"<saml:NameID>{ADMIN}<x/>.evil.example</saml:NameID>"),
        "element-unknown",
    ),
    (
        "a NameID of an element of ours",
        CORE,
        lambda: signed(name_id=f"<saml:NameID>{ADMIN}<saml:Audience/></saml:NameID>"),
        "element-unknown",
    ),
    (
        "a NameID with a line break",
        "look-alikes",
        lambda: signed(name_id=f"<saml:NameID>{ADMIN}\n</saml:NameID>"),
        "name-id-invalid",
    ),
    (
        "a NameID with a blank that nobody sees",
        "look-alikes",
        lambda: signed(name_id="<saml:NameID>admin\u200b@hospital.example</saml:NameID>"),
        "name-id-invalid",
    ),
    (
        "a NameID of 256 letters",
        CORE,
        lambda: signed(name_id=f"<saml:NameID>{'a' * 256}</saml:NameID>"),
        "name-id-invalid",
    ),
    (
        "a transient NameID",
        CORE,
        lambda: signed(name_id=f'<saml:NameID Format="{FORMAT}:transient">_x</saml:NameID>'),
        "name-id-transient",
    ),
    (
        "a NameID of another format",
        CORE,
        lambda: signed(name_id=f'<saml:NameID Format="{FORMAT_1}:X509SubjectName">CN=a</saml:NameID>'),
        "name-id-format",
    ),
    (
        "an encrypted NameID format",
        CORE,
        lambda: signed(name_id=f'<saml:NameID Format="{FORMAT}:encrypted">a</saml:NameID>'),
        "name-id-format",
    ),
    (
        "a NameID of somebody else's",
        CORE,
        lambda: signed(name_id='<saml:NameID NameQualifier="https://evil.example">ann</saml:NameID>'),
        "name-id-qualifier",
    ),
    (
        "a NameID for somebody else",
        CORE,
        lambda: signed(name_id='<saml:NameID SPNameQualifier="https://evil.example">ann</saml:NameID>'),
        "name-id-qualifier",
    ),
    ("no SubjectConfirmation", RFC, lambda: signed(confirmation=""), "confirmation-missing"),
    (
        "no SubjectConfirmationData",
        RFC,
        lambda: signed(confirmation=f'<saml:SubjectConfirmation Method="{saml.BEARER}"/>'),
        "confirmation-missing",
    ),
    (
        "holder of key only",
        RFC,
        lambda: signed(confirmation=confirmation(how="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")),
        "confirmation-missing",
    ),
    (
        "sender vouches only",
        RFC,
        lambda: signed(confirmation=confirmation(how="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")),
        "confirmation-missing",
    ),
    (
        "a bearer of SAML 1",
        RFC,
        lambda: signed(confirmation=confirmation(how="urn:oasis:names:tc:SAML:1.0:cm:bearer")),
        "confirmation-missing",
    ),
    ("two for us", CORE, lambda: signed(confirmation=confirmation() * 2), "confirmation-ambiguous"),
    (
        "a key in the bearer's confirmation",
        CORE,
        lambda: signed(confirmation=confirmation(inside="<x/>")),
        "confirmation-bound",
    ),
    (
        "another may bring it",
        CORE,
        lambda: signed(confirmation=confirmation(before="<saml:NameID>x</saml:NameID>")),
        "confirmation-bound",
    ),
    ("no Recipient", RFC, lambda: signed(confirmation=confirmation(END)), "recipient-mismatch"),
    (
        "a Recipient elsewhere",
        RFC,
        lambda: signed(confirmation=confirmation(f'Recipient="https://portal.hospital.example/acs" {END}')),
        "recipient-mismatch",
    ),
    (
        "a Recipient that begins like ours",
        RFC,
        lambda: signed(confirmation=confirmation(f'Recipient="{RECIPIENT}/x" {END}')),
        "recipient-mismatch",
    ),
    (
        "a Recipient in other case",
        RFC,
        lambda: signed(confirmation=confirmation(f'Recipient="{RECIPIENT.upper()}" {END}')),
        "recipient-mismatch",
    ),
    (
        "the answer to somebody's request",
        PROFILES,
        lambda: signed(confirmation=confirmation(f'{HERE} {END} InResponseTo="_q"')),
        "in-response-to",
    ),
    (
        "an empty InResponseTo",
        PROFILES,
        lambda: signed(confirmation=confirmation(f'{HERE} {END} InResponseTo=""')),
        "in-response-to",
    ),
    (
        "a bearer's confirmation with NotBefore",
        PROFILES,
        lambda: signed(confirmation=confirmation(f'{HERE} {END} NotBefore="{at(-9)}"')),
        "confirmation-not-before",
    ),
    ("a confirmation without end", RFC, lambda: signed(confirmation=confirmation(HERE)), "confirmation-endless"),
    (
        "a confirmation that is over",
        RFC,
        lambda: signed(confirmation=confirmation(f'{HERE} NotOnOrAfter="{at(-60)}"')),
        "confirmation-over",
    ),
    ("no Conditions", RFC, lambda: signed(conditions=""), "conditions-missing"),
    ("two Conditions", CORE, lambda: signed(more="<saml:Conditions/>"), "element-repeated"),
    (
        "a condition we do not know",
        CORE,
        lambda: signed(audience=audience("phigate") + f'<saml:Condition {SCHEMA} xsi:type="x"/>'),
        "condition-unknown",
    ),
    (
        "a condition of another namespace",
        CORE,
        lambda: signed(audience=audience("phigate") + '<x:OneTimeUse xmlns:x="urn:x"/>'),
        "condition-unknown",
    ),
    (
        "OneTimeUse twice",
        CORE,
        lambda: signed(audience=audience("phigate") + "<saml:OneTimeUse/>" * 2),
        "element-repeated",
    ),
    ("Conditions yet to come", RFC, lambda: signed(window=f'NotBefore="{at(61)}"'), "not-yet-valid"),
    ("Conditions that are over", RFC, lambda: signed(window=f'NotOnOrAfter="{at(-60)}"'), "expired"),
    (
        "Conditions that end before they begin",
        CORE,
        lambda: signed(window=f'NotBefore="{at(5)}" NotOnOrAfter="{at(5)}"'),
        "date-invalid",
    ),
    ("no AudienceRestriction", RFC, lambda: signed(audience=""), "audience-missing"),
    ("an empty AudienceRestriction", RFC, lambda: signed(audience=audience()), "audience-mismatch"),
    (
        "for somebody else",
        RFC,
        lambda: signed(audience=audience("https://portal.hospital.example")),
        "audience-mismatch",
    ),
    (
        "for us and, in another restriction, for somebody else",
        CORE,
        lambda: signed(audience=audience("phigate") + audience("x")),
        "audience-mismatch",
    ),
    (
        "for us in the ProxyRestriction only",
        CORE,
        lambda: signed(
            audience="<saml:ProxyRestriction><saml:Audience>phigate</saml:Audience></saml:ProxyRestriction>"
        ),
        "audience-missing",
    ),
    (
        "an audience that begins like ours",
        RFC,
        lambda: signed(audience=audience("phigate.evil.example")),
        "audience-mismatch",
    ),
    ("an audience with a blank", RFC, lambda: signed(audience=audience("phigate ")), "audience-mismatch"),
    ("an element in the audience", RFC, lambda: signed(audience=audience("phigate<x/>")), "element-unknown"),
    ("no AuthnStatement", RFC, lambda: signed(authn=""), "authn-missing"),
    (
        "a session that is over",
        CORE,
        lambda: signed(authn=f'<saml:AuthnStatement AuthnInstant="{at(-9)}" SessionNotOnOrAfter="{at(-61)}"/>'),
        "session-over",
    ),
    (
        "one of two sessions is over",
        CORE,
        lambda: signed(
            authn="".join(
                f'<saml:AuthnStatement AuthnInstant="{at(-9)}" SessionNotOnOrAfter="{at(end)}"/>' for end in (99, -99)
            )
        ),
        "session-over",
    ),
    (
        "signed in tomorrow",
        CORE,
        lambda: signed(authn=f'<saml:AuthnStatement AuthnInstant="{at(86400)}"/>'),
        "issued-in-future",
    ),
    (
        "an AuthzDecisionStatement",
        CORE,
        lambda: signed(more='<saml:AuthzDecisionStatement Decision="Deny"/>'),
        "element-unknown",
    ),
    (
        "a statement we do not know",
        CORE,
        lambda: signed(more=f'<saml:Statement {SCHEMA} xsi:type="x"/>'),
        "element-unknown",
    ),
    ("issued tomorrow", CORE, lambda: signed(issued=at(86400)), "issued-in-future"),
    ("issued more than an hour ago", RFC, lambda: signed(issued=at(-3660)), "too-old"),
    (
        "lives ten years",
        RFC,
        lambda: signed(
            window=f'NotOnOrAfter="{at(3e8)}"', confirmation=confirmation(f'{HERE} NotOnOrAfter="{at(3e8)}"')
        ),
        "lifetime-too-long",
    ),
    (
        "too many groups",
        "Entra ID",
        lambda: signed(attributes=stated(*(f"g{n}" for n in range(1001)))),
        "groups-too-many",
    ),
    (
        "groups left out",
        "Entra ID",
        lambda: signed(attributes=stated("https://graph", name=saml.OVERAGE)),
        "groups-overage",
    ),
    (
        "an empty group",
        CORE,
        lambda: signed(attributes=stated("")),
        "groups-invalid",
    ),
    (
        "an element in a group",
        CORE,
        lambda: signed(attributes=stated("privacy<x/>-not")),
        "groups-invalid",
    ),
    (
        "a group with blanks",
        "look-alikes",
        lambda: signed(attributes=stated(" privacy")),
        "groups-invalid",
    ),
    (
        "a value of another namespace",
        CORE,
        lambda: signed(
            attributes=stated("privacy").replace("saml:AttributeValue>", "x:AttributeValue>"), head=' xmlns:x="urn:x"'
        ),
        "element-unknown",
    ),
    *(
        (f"IssueInstant {written or 'missing'}", "SAML core 1.3.3", partial(signed, issued=written), "date-invalid")
        for written in (
            "",
            at(-10)[:-1],
            at(-10)[:-1] + "+00:00",
            at(-10)[:-1] + "+01:00",
            at(-10).lower(),
            at(-10).replace("T", " "),
            at(-10)[:10],
            f" {at(-10)}",
            f"{at(-10)} ",
            "2027-02-30T00:00:00Z",
            "2027-01-15T24:00:00Z",
            "2027-01-15T07:59:60Z",
            "0000-01-01T00:00:00Z",
            "+2027-01-15T07:59:50Z",
            "12027-01-15T07:59:50Z",
            "2027-01-15T07:59:50.Z",
            "2027-01-15T07:59:50,5Z",
            "2027-01-15T07:59:50.1234567890Z",
            "\u0662\u0660\u0662\u0667-01-15T07:59:50Z",
            "1799999990",
        )
    ),
    ("NotOnOrAfter that is no date", CORE, lambda: signed(window='NotOnOrAfter="never"'), "date-invalid"),
    ("an empty NotOnOrAfter", CORE, lambda: signed(window='NotOnOrAfter=""'), "date-invalid"),
    ("NotBefore that is no date", CORE, lambda: signed(window='NotBefore="now"'), "date-invalid"),
    (
        "a confirmation that ends at no date",
        CORE,
        lambda: signed(confirmation=confirmation(f'{HERE} NotOnOrAfter="x"')),
        "date-invalid",
    ),
    (
        "SessionNotOnOrAfter that is no date",
        CORE,
        lambda: signed(authn=f'<saml:AuthnStatement AuthnInstant="{at(-9)}" SessionNotOnOrAfter="x"/>'),
        "date-invalid",
    ),
    ("no AuthnInstant", CORE, lambda: signed(authn="<saml:AuthnStatement/>"), "date-invalid"),
]

READ = [("ann@hospital.example", {"ward-staff", "research"})]
"""What the provider did sign of the assertions that are attacked afterwards."""

ATTACKS = [*WRAPPED, *SIGNATURES, *ALGORITHMS, *SPELLINGS, *CONTENT]
UNIVERSITY = provider("rsa.university", entity_id=OTHER_ISSUER)
each_attack = pytest.mark.parametrize(
    ("sentence", "source", "made", "reason"), ATTACKS, ids=[row[0] for row in ATTACKS]
)


@each_attack
def test_refused(sentence, source, made, reason):
    assert saml.check_assertion(made(), (provider(), UNIVERSITY), RECIPIENT, NOW) == SamlRefused(reason)


@each_attack
def test_without_the_look_before_the_signature_nothing_forged_is_read_either(
    sentence, source, made, reason, monkeypatch
):
    """The second wall: only what the verifier gives back is read, so at worst what was honestly signed is believed."""
    monkeypatch.setattr(saml, "BEFORE_SIGNATURE", ())
    outcome = saml.check_assertion(made(), (provider(), UNIVERSITY), RECIPIENT, NOW)
    assert isinstance(outcome, SamlRefused) or (outcome.id, set(outcome.groups)) in READ


def test_the_table_is_large_and_says_each_thing_once():
    assert len(ATTACKS) >= 250
    assert len({row[0] for row in ATTACKS}) == len(ATTACKS)
    assert all(source for _, source, _, _ in ATTACKS)


ELSEWHERE = {
    "not-canonical",
    "issuer-ambiguous",
    "certificate-unusable",
    "certificate-expired",
    "signed-differs",
    "check-broke",
}
"""Reasons for which no assertion is to blame: tests/identity/test_saml.py."""


def test_every_reason_is_in_the_table():
    assert {row[3] for row in ATTACKS} | ELSEWHERE == set(REASONS)


def test_an_ecdsa_signature_of_zeros_is_refused():  # CVE-2022-21449
    assert check(zeros(), by=provider("p256")) == SamlRefused("signature-invalid")
