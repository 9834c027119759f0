"""The codes of FHIR AuditEvents: from the journal's words to others' code systems, as tables.

Sources: FHIR R4 (4.0.1) AuditEvent and its value sets; DICOM PS3.16 CID 400 and 401; HL7 v3 ActReason and
ObservationValue; ISO 21089 as FHIR codes it; IHE BALP 1.1.4.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

type Coding = dict[str, str]

BALP: Final = "https://profiles.ihe.net/ITI/BALP"
DISCLOSURE_PROFILE: Final = f"{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
OURS: Final = "urn:phigate"


def coding(system: str, code: str, display: str = "") -> Coding:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(one: Coding) -> dict[str, Any]:
    return {"coding": [one]}


def _dicom(code: str, display: str) -> Coding:
    return coding("http://dicom.nema.org/resources/ontology/DCM", code, display)


def _lifecycle(code: str, display: str) -> Coding:
    return coding(f"{TERMINOLOGY}/iso-21089-lifecycle", code, display)


APPLICATION: Final = _dicom("110100", "Application Activity")
AUDIT_LOG_USED: Final = _dicom("110101", "Audit Log Used")
EXPORT: Final = _dicom("110106", "Export")
QUERY: Final = _dicom("110112", "Query")
ALERT: Final = _dicom("110113", "Security Alert")
AUTHENTICATION: Final = _dicom("110114", "User Authentication")
START: Final = _dicom("110120", "Application Start")
STOP: Final = _dicom("110121", "Application Stop")
LOGIN: Final = _dicom("110122", "Login")
OVERRIDE: Final = _dicom("110127", "Emergency Override Started")
SECURITY_CONFIGURATION: Final = _dicom("110129", "Security Configuration")
SOFTWARE_CONFIGURATION: Final = _dicom("110131", "Software Configuration")
RECORDING_STOPPED: Final = _dicom("110133", "Audit Recording Stopped")
RECORDING_STARTED: Final = _dicom("110134", "Audit Recording Started")
ROLES_CHANGED: Final = _dicom("110136", "Security Roles Changed")
USER_CHANGED: Final = _dicom("110137", "User Security Attributes Changed")
AUTHORIZATION: Final = coding(
    f"{BALP}/CodeSystem/AuthZsubType", "AuthZ-Role", "Authorization Decision using only Roles"
)
DISCLOSE: Final = _lifecycle("disclose", "Disclose Record Lifecycle Event")
DESTROY: Final = _lifecycle("destroy", "Destroy/Delete Record Lifecycle Event")
ATTEST: Final = _lifecycle("attest", "Attest Record Lifecycle Event")

PERSON_AGENT: Final = concept(coding(f"{TERMINOLOGY}/v3-ParticipationType", "IRCP", "information recipient"))
SOURCE_AGENT: Final = concept(_dicom("110153", "Source Role ID"))
DESTINATION_AGENT: Final = concept(_dicom("110152", "Destination Role ID"))
APPLICATION_AGENT: Final = concept(_dicom("110150", "Application"))
SECURITY_SERVER: Final = coding(f"{TERMINOLOGY}/security-source-type", "6", "Security Server")

PERSON: Final = coding(f"{TERMINOLOGY}/audit-entity-type", "1", "Person")
SYSTEM_OBJECT: Final = coding(f"{TERMINOLOGY}/audit-entity-type", "2", "System Object")
OTHER_OBJECT: Final = coding(f"{TERMINOLOGY}/audit-entity-type", "4", "Other")
_ROLE: Final = f"{TERMINOLOGY}/object-role"
PATIENT_ROLE: Final = coding(_ROLE, "1", "Patient")
SECURITY_ROLE: Final = coding(_ROLE, "13", "Security Resource")
JOB_ROLE: Final = coding(_ROLE, "20", "Job")
STREAM_ROLE: Final = coding(_ROLE, "21", "Job Stream")
MASKED: Final = coding(f"{TERMINOLOGY}/v3-ObservationValue", "MASKED", "masked")

_REASON: Final = f"{TERMINOLOGY}/v3-ActReason"
PURPOSES: Final = {
    "treatment": coding(_REASON, "TREAT", "treatment"),
    "payment": coding(_REASON, "HPAYMT", "healthcare payment"),
    "operations": coding(_REASON, "HOPERAT", "healthcare operations"),
    "research": coding(_REASON, "HRESCH", "healthcare research"),
    "emergency": coding(_REASON, "ETREAT", "Emergency Treatment"),
}
BREAK_GLASS: Final = coding(_REASON, "BTG", "break the glass")

SUCCESS, MINOR, SERIOUS, MAJOR = "0", "4", "8", "12"
OUTCOMES: Final = {
    "complete": SUCCESS,
    "refused-by-upstream": MINOR,
    "client-left": MINOR,
    "interrupted": SERIOUS,
    "upstream-broke": SERIOUS,
    "unmaskable": SERIOUS,
    "denied": SERIOUS,
    "revoked": SERIOUS,
    "expired": SERIOUS,
    "unrecorded": MAJOR,
    "gateway-broke": MAJOR,
}
"""How an answer ended; an outcome that is not here counts as SERIOUS."""

MACHINE, IP, URI = "1", "2", "5"
"""Of `agent.network.type`."""

METHODS: Final = {"POST": "C", "PUT": "U", "PATCH": "U", "DELETE": "D", "GET": "R", "HEAD": "R"}
"""What managing models does, by its method."""

PATIENT_ENTITIES: Final = frozenset(
    {"PERSON", "MRN", "US_SSN", "MBI", "HEALTH_PLAN_ID", "ACCOUNT_NUMBER", "ENCOUNTER_ID"}
)
"""Entities that name one person; all others may be a place's, a day's or a device's."""


class Kind(NamedTuple):
    """How a record of one kind is told."""

    type: Coding
    subtypes: tuple[Coding, ...]
    action: str
    said: str


KINDS: Final = {
    "refused": Kind(AUTHENTICATION, (LOGIN,), "E", "bearers not believed"),
    "token": Kind(AUTHENTICATION, (LOGIN,), "E", "a bearer of the gateway's own"),
    "revocation": Kind(ALERT, (USER_CHANGED,), "U", "bearers taken back"),
    "look": Kind(AUDIT_LOG_USED, (), "R", "the journal was read"),
    "policy": Kind(ALERT, (SECURITY_CONFIGURATION,), "U", "a policy was read"),
    "ticket": Kind(ALERT, (AUTHORIZATION,), "U", "a held request's ticket"),
    "grant": Kind(ALERT, (ROLES_CHANGED,), "C", "a right that was granted"),
    "break-glass": Kind(ALERT, (OVERRIDE,), "E", "break-glass"),
    "review": Kind(ALERT, (ATTEST,), "R", "a review of break-glass"),
    "deployment": Kind(ALERT, (SOFTWARE_CONFIGURATION,), "E", "a model was deployed beside the gateway"),
    "notice": Kind(ALERT, (), "E", "a webhook that was told, or never will be"),
    "opened": Kind(APPLICATION, (RECORDING_STARTED,), "E", "a file of the journal was opened"),
    "closed": Kind(APPLICATION, (RECORDING_STOPPED,), "E", "a file of the journal was closed"),
    "recovered": Kind(APPLICATION, (RECORDING_STARTED,), "E", "the journal was put in order after a fault"),
    "anchor": Kind(ALERT, (ATTEST,), "C", "a checkpoint was kept elsewhere"),
    "prune": Kind(ALERT, (DESTROY,), "D", "records past their time were deleted"),
    "clock": Kind(ALERT, (SECURITY_CONFIGURATION,), "U", "the gateway's clock was put forward or back"),
}
"""Every kind of record that is about no exchange."""
UNKNOWN_KIND: Final = Kind(APPLICATION, (), "E", "a record of another kind")
