"""What each element of FHIR R4 holds: tables only (hl7.org/fhir/R4, the data types page and the resources' own).

A rule is a treatment, the name of a data type of TYPES, or one of `fhir.py`'s own ways to read a text (in lower case).
"""

from __future__ import annotations

import re

from phigate.masking.structure.treatment import AGE, DATE, KEEP, PROSE, SCAN, Rules, named

TYPES: dict[str, Rules] = {
    "HumanName": named(
        {
            "PERSON": "text family given",
            PROSE: "prefix suffix",
            KEEP: "use",
            "Period": "period",
        }
    ),
    "Address": named(
        {
            "LOCATION": "text line city district",
            "ZIP": "postalCode",
            "word": "use type state country",
            "Period": "period",
        }
    ),
    "ContactPoint": named(
        {
            KEEP: "system use rank",
            "contact": "value",
            "Period": "period",
        }
    ),
    "Identifier": named(
        {
            KEEP: "use",
            "CodeableConcept": "type",
            "system": "system",
            "identifier": "value",
            "Period": "period",
            "Reference": "assigner",
        }
    ),
    "Period": named(
        {
            DATE: "start end",
        }
    ),
    "Timing": named(
        {
            DATE: "event",
            "Repeat": "repeat",
            "CodeableConcept": "code",
        }
    ),
    "Repeat": named(
        {
            "Period": "boundsPeriod",
            KEEP: "timeOfDay dayOfWeek when periodUnit",
        }
    ),
    "CodeableConcept": named(
        {
            "Coding": "coding",
            PROSE: "text",
        }
    ),
    "Coding": named(
        {
            "system": "system",
            KEEP: "version",
            "code": "code",
            "display": "display",
        }
    ),
    "Quantity": named(
        {
            "amount": "value",
            KEEP: "comparator code",
            "word": "unit",
            "system": "system",
        }
    ),
    "Age": named(
        {
            AGE: "value",
            KEEP: "comparator code",
            "word": "unit",
            "system": "system",
        }
    ),
    "Range": named(
        {
            "Quantity": "low high",
        }
    ),
    "Ratio": named(
        {
            "Quantity": "numerator denominator",
        }
    ),
    "SampledData": named(
        {
            "Quantity": "origin",
            "samples": "data",
            KEEP: "dimensions period factor",
        }
    ),
    "Money": named(
        {
            KEEP: "value currency",
        }
    ),
    "Annotation": named(
        {
            "Reference": "authorReference",
            "PERSON": "authorString",
            DATE: "time",
            PROSE: "text",
        }
    ),
    "Narrative": named(
        {
            KEEP: "status",
            "xhtml": "div",
        }
    ),
    "Reference": named(
        {
            "reference": "reference",
            KEEP: "type",
            "Identifier": "identifier",
            "whose": "display",
        }
    ),
    "Attachment": named(
        {
            "word": "contentType",
            KEEP: "language size",
            "data": "data",
            "URL": "url",
            "digest": "hash",
            PROSE: "title",
            DATE: "creation",
        }
    ),
    "Photo": named(
        {
            "word": "contentType",
            "photo": "data",
            "PHOTO": "url",
            KEEP: "size",
            "digest": "hash",
            PROSE: "title",
            DATE: "creation",
        }
    ),
    "Signature": named(
        {
            "Coding": "type",
            DATE: "when",
            "Reference": "who onBehalfOf",
            "photo": "data",
            KEEP: "targetFormat sigFormat",
        }
    ),
    "Meta": named(
        {
            KEEP: "versionId",
            DATE: "lastUpdated",
            SCAN: "source",
            "system": "profile",
            "Coding": "security tag",
        }
    ),
    "Extension": named(
        {
            "system": "url",
        }
    ),
    "ContactDetail": named(
        {
            "PERSON": "name",
            "ContactPoint": "telecom",
        }
    ),
    "Position": named(
        {
            "LOCATION": "longitude latitude altitude",
        }
    ),
    "Udi": named(
        {
            "DEVICE_ID": "deviceIdentifier carrierAIDC carrierHRF",
            "system": "issuer jurisdiction",
            KEEP: "entryType",
        }
    ),
}

TEXT_OF = named(
    {
        "PERSON": "HumanName ContactDetail",
        "LOCATION": "Address Position",
        PROSE: "Narrative Annotation CodeableConcept",
        "UNIQUE_ID": "Identifier",
        DATE: "Period Timing",
        SCAN: "Attachment",
        "PHOTO": "Photo",
        AGE: "Age",
        "DEVICE_ID": "Udi",
        KEEP: "Coding Meta",
        "contact": "ContactPoint",
    }
)
"""How a text is treated that stands where this data type should."""

ELEMENTS = named(
    {
        PROSE: """
            name alias comment description conclusion title instruction patientInstruction div details
            diagnostics contentString detail summary purpose reason prefix suffix display markdown
            copyright
        """,
        "ContactPoint": "telecom",
        "Address": "address",
        "Identifier": "identifier groupIdentifier requisition predecessor",
        "Photo": "photo",
        "Narrative": "text",
        "Meta": "meta",
        "Annotation": "note progress",
        "Extension": "extension modifierExtension",
        "Signature": "signature",
        "Udi": "udiCarrier",
        "Position": "position",
        "Period": "period requestedPeriod duration applies during planningHorizon",
        KEEP: """
            code language lotNumber linkId sequence rank fhirVersion version definition status intent
            priority gender use mode kind active docStatus
        """,
        "system": "implicitRules url instantiatesCanonical instantiatesUri",
        "reference": "fullUrl",
        "link": "link",
        "UNIQUE_ID": "uid preAuthRef accession accessionNumber altId",
        "DEVICE_ID": "serialNumber distinctIdentifier carrierHRF",
        "HEALTH_PLAN_ID": "subscriberId",
        "PERSON": "family given authorString initials",
        "LOCATION": "line city district",
        "ZIP": "postalCode",
        DATE: """
            authoredOn issued recorded sent received created authored date start end timestamp started
            ended performed occurred lastModified lastUpdated authoredDate when collected expiry
            birthdate asserted event detected lastOccurrence onset whenHandedOver whenPrepared
            dateAsserted lastPerformed nextScheduled dateWritten ifModifiedSince time creation useBy
        """,
        "Attachment": "image form presentedForm document attachment",
        "resource": "contained resource outcome",
        "data": "content data",
        "whose": """
            author performer recorder asserter requester sender practitioner actor patient subject
            individual enterer provider attester issuer owner
        """,
    }
)
"""By the element's name, wherever it stands; OF_RESOURCE is asked before."""

OF_RESOURCE = named(
    {
        "HumanName": "Patient.name Practitioner.name RelatedPerson.name Person.name Patient.alias",
        "ORGANIZATION": """
            Organization.name Organization.alias OrganizationAffiliation.name HealthcareService.name
            InsurancePlan.name Endpoint.name
        """,
        "LOCATION": "Location.name Location.alias Location.description",
        "PERSON": "Account.name AuditEvent.name CareTeam.name Group.name",
        "data": "Binary.data AuditEvent.query",
        KEEP: """
            Binary.contentType Bundle.etag Bundle.relation Coverage.dependent Device.lotNumber
            Parameters.name Questionnaire.name VisionPrescription.value ImagingStudy.number
        """,
        "reference": "Bundle.url Bundle.location",
        "query": "Bundle.ifNoneExist Subscription.criteria",
        "HEALTH_PLAN_ID": "Coverage.value",
        PROSE: """
            Coverage.name MessageHeader.name Observation.value Provenance.entity
            QuestionnaireResponse.text Questionnaire.text
        """,
        "ContactPoint": """
            Device.contact DeviceDefinition.contact Endpoint.contact MessageHeader.contact
            Subscription.contact
        """,
        "URL": "Device.url Endpoint.address MessageHeader.endpoint Subscription.endpoint",
        "UNIQUE_ID": "Device.value AuditEvent.userId",
        "IP_ADDRESS": "AuditEvent.address",
        "CodeableConcept": "OperationOutcome.details",
        "Money": "PaymentNotice.amount",
    }
)

EXTENSIONS = named(
    {
        "PERSON": """
            patient-mothersMaidenName humanname-own-name humanname-own-prefix humanname-partner-name
            humanname-partner-prefix humanname-mothers-family humanname-fathers-family
            iso21090-preferred
        """,
        "LOCATION": """
            iso21090-ADXP-streetName iso21090-ADXP-houseNumber iso21090-ADXP-additionalLocator
            iso21090-SC-coding iso21090-ADXP-streetNameBase iso21090-ADXP-postBox iso21090-ADXP-unitID
            iso21090-ADXP-precinct iso21090-ADXP-houseNumberNumeric iso21090-ADXP-deliveryAddressLine
            iso21090-ADXP-censusTract geolocation latitude longitude patient-birthPlace
        """,
        DATE: "patient-birthTime patient-deathDate recordedOn",
        KEEP: "patient-cadavericDonor us-core-birthsex us-core-race us-core-ethnicity ombCategory",
        PROSE: "patient-religion",
    }
)
"""By the last step of the extension's url: what its value is."""

OF_SUFFIX = re.compile(
    r"[a-z][A-Za-z]*?(HumanName|Address|ContactPoint|Identifier|CodeableConcept|Coding|Quantity|Period|Timing|Range|Ratio"
    r"|SampledData|Money|Annotation|Reference|Attachment|Signature|Age|Date|DateTime|Instant|Time|String|Markdown|Boolean"
    r"|Integer|Decimal|PositiveInt|UnsignedInt|Code|Uri|Url|Canonical|Oid|Uuid|Base64Binary|Telecom|Photo|On|Narrative"
    r"|Meta|Udi|Duration|Distance|Count|ContactDetail)"
)
SUFFIXES = named(
    {
        "HumanName": "HumanName",
        "Address": "Address",
        "ContactPoint": "ContactPoint Telecom",
        "Identifier": "Identifier",
        "Period": "Period",
        "Timing": "Timing",
        "Repeat": "Repeat",
        "CodeableConcept": "CodeableConcept",
        "Coding": "Coding",
        "Quantity": "Quantity Duration Distance Count",
        "Age": "Age",
        "Range": "Range",
        "Ratio": "Ratio",
        "SampledData": "SampledData",
        "Money": "Money",
        "Annotation": "Annotation",
        "Narrative": "Narrative",
        "Reference": "Reference",
        "Attachment": "Attachment",
        "Photo": "Photo",
        "Signature": "Signature",
        "Meta": "Meta",
        "Extension": "Extension",
        "ContactDetail": "ContactDetail",
        "Position": "Position",
        "Udi": "Udi",
        DATE: "Date DateTime Instant Time On",
        KEEP: "Boolean Integer PositiveInt UnsignedInt Decimal Code",
        "system": "Uri Canonical",
        "UNIQUE_ID": "Oid Uuid",
        "URL": "Url",
        "data": "Base64Binary",
        SCAN: "String",
        PROSE: "Markdown",
    }
)

ID_OF = named(
    {
        "UNIQUE_ID": """
            Patient Person RelatedPerson Practitioner PractitionerRole Claim ClaimResponse
            ExplanationOfBenefit ImagingStudy Specimen Appointment
        """,
        "ENCOUNTER_ID": "Encounter EpisodeOfCare",
        "HEALTH_PLAN_ID": "Coverage",
        "DEVICE_ID": "Device",
        "ACCOUNT_NUMBER": "Account",
    }
)
"""Kinds of resource whose logical id is an identifying number by itself."""

IDENTIFIER_OF = named(
    {
        "MRN": "Patient",
        "ENCOUNTER_ID": "Encounter EpisodeOfCare",
        "HEALTH_PLAN_ID": "Coverage",
        "DEVICE_ID": "Device",
        "ACCOUNT_NUMBER": "Account",
    }
)

NAMED_AS = named(
    {
        "PERSON": "Patient Person RelatedPerson Practitioner PractitionerRole",
        "ORGANIZATION": "Organization HealthcareService CareTeam",
        "LOCATION": "Location",
        PROSE: "Group",
    }
)
"""Kinds of resource whose name a reference's `display` is."""

NAMED_BY = named(
    {
        "PERSON": """
            subject patient individual generalPractitioner author recorder asserter requester sender
            recipient practitioner performer actor enterer provider beneficiary subscriber policyHolder
            participant agent who owner source informationSource consentingParty party member operator
            attender interpreter authenticator legalAuthenticator receiver responsible
            resultsInterpreter authorReference collector witness responsibleParty careManager
            primaryCareProvider other prescriber dispenser administrator onBehalfOf attester interviewer
            referrer
        """,
        "ORGANIZATION": """
            organization managingOrganization serviceProvider custodian performerOrganization facility
            manufacturer assigner destination origin publisher providedBy issuer custodianOrganization
        """,
        "LOCATION": "location",
    }
)
"""Elements whose reference names somebody, where the reference itself does not say what it refers to."""

CONTACTS = named(
    {
        "PHONE_NUMBER": "phone pager sms",
        "FAX_NUMBER": "fax",
        "EMAIL_ADDRESS": "email",
        "URL": "url",
    }
)
