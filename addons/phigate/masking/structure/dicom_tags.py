"""What the attributes of DICOM hold: tables only (PS3.15 table E.1-1, the basic profile; PS3.6 for the tags).

What the profile removes or replaces is hidden as the entity it is. Its descriptions and comments, which it removes, are
free text here: they are what a model is asked about, so they are scanned. An attribute that is not here goes by its VR.
"""

from __future__ import annotations

from phigate.masking.structure.treatment import AGE, DATE, KEEP, PROSE, SCAN

_TAGS = {
    "PERSON": """
        00080090 ReferringPhysicianName
        0008009C ConsultingPhysicianName
        00081048 PhysiciansOfRecord
        00081050 PerformingPhysicianName
        00081060 NameOfPhysiciansReadingStudy
        00081070 OperatorsName
        00100010 PatientName
        00101001 OtherPatientNames
        00101005 PatientBirthName
        00101060 PatientMotherBirthName
        00102297 ResponsiblePerson
        00321032 RequestingPhysician
        00400006 ScheduledPerformingPhysicianName
        00401010 NamesOfIntendedRecipientsOfResults
        00402008 OrderEnteredBy
        00404037 HumanPerformerName
        0040A075 VerifyingObserverName
        0040A123 PersonName
        00700084 ContentCreatorName
        300E0008 ReviewerName
        40080102 InterpretationRecorder
        4008010A InterpretationTranscriber
        4008010C InterpretationAuthor
        40080114 PhysicianApprovingInterpretation
        40080119 DistributionName
    """,
    "MRN": """
        00100020 PatientID
        00101000 OtherPatientIDs
        00101090 MedicalRecordLocator
    """,
    "HEALTH_PLAN_ID": """
        00101050 InsurancePlanIdentification
    """,
    "LOCATION": """
        00080081 InstitutionAddress
        00080092 ReferringPhysicianAddress
        00101040 PatientAddress
        00102152 RegionOfResidence
        0038001E ScheduledPatientInstitutionResidence
        00380300 CurrentPatientLocation
        00380400 PatientInstitutionResidence
        00400011 ScheduledProcedureStepLocation
        00400243 PerformedLocation
        00401005 RequestedProcedureLocation
        00401102 PersonAddress
        00402009 OrderEntererLocation
        4008011A DistributionAddress
    """,
    "PHONE_NUMBER": """
        00080094 ReferringPhysicianTelephoneNumbers
        00102154 PatientTelephoneNumbers
        00102155 PatientTelecomInformation
        00401103 PersonTelephoneNumbers
        00401104 PersonTelecomInformation
        00402010 OrderCallbackPhoneNumber
        00402011 OrderCallbackTelecomInformation
    """,
    AGE: """
        00101010 PatientAge
    """,
    DATE: """
        00100032 PatientBirthTime
        00100033 PatientBirthDateInAlternativeCalendar
        00100034 PatientDeathDateInAlternativeCalendar
    """,
    "ORGANIZATION": """
        00080080 InstitutionName
        00081040 InstitutionalDepartmentName
        00102299 ResponsibleOrganization
        00120010 ClinicalTrialSponsorName
        00120031 ClinicalTrialSiteName
        00120060 ClinicalTrialCoordinatingCenterName
        00321033 RequestingService
        00404036 HumanPerformerOrganization
        0040A027 VerifyingOrganization
    """,
    "DEVICE_ID": """
        00020016 SourceApplicationEntityTitle
        00080054 RetrieveAETitle
        00080055 StationAETitle
        00081010 StationName
        00181000 DeviceSerialNumber
        00181003 DeviceID
        00181004 PlateID
        00181005 GeneratorID
        00181007 CassetteID
        00181008 GantryID
        00181009 UniqueDeviceIdentifier
        0018700A DetectorID
        00189367 XRaySourceID
        00400001 ScheduledStationAETitle
        00400010 ScheduledStationName
        00400241 PerformedStationAETitle
        00400242 PerformedStationName
        30080105 SourceSerialNumber
        3010002D DeviceLabel
    """,
    "ENCOUNTER_ID": """
        00380010 AdmissionID
        00380060 ServiceEpisodeID
    """,
    "UNIQUE_ID": """
        00080050 AccessionNumber
        00100021 IssuerOfPatientID
        00120020 ClinicalTrialProtocolID
        00120030 ClinicalTrialSiteID
        00120040 ClinicalTrialSubjectID
        00120042 ClinicalTrialSubjectReadingID
        00120050 ClinicalTrialTimePointID
        00200010 StudyID
        00320012 StudyIDIssuer
        00380011 IssuerOfAdmissionID
        00380061 IssuerOfServiceEpisodeID
        00400009 ScheduledProcedureStepID
        00400031 LocalNamespaceEntityID
        00400032 UniversalEntityID
        00400253 PerformedProcedureStepID
        0040050A SpecimenAccessionNumber
        00400512 ContainerIdentifier
        00400551 SpecimenIdentifier
        00401001 RequestedProcedureID
        00402016 PlacerOrderNumberImagingServiceRequest
        00402017 FillerOrderNumberImagingServiceRequest
        04000005 MACIDNumber
        04000100 DigitalSignatureUID
        04000115 CertificateOfSigner
        04000120 Signature
        04000404 MAC
        22000005 BarcodeValue
        40080040 ResultsID
        40080200 InterpretationID
    """,
    "PHOTO": """
        00287FE0 PixelDataProviderURL
        00420011 EncapsulatedDocument
        00880200 IconImageSequence
        54001010 WaveformData
        56000020 SpectroscopyData
        7FE00008 FloatPixelData
        7FE00009 DoubleFloatPixelData
        7FE00010 PixelData
    """,
    "URL": """
        00041141 FileSetDescriptorFileID
        00081190 RetrieveURL
        0040E010 RetrieveURI
    """,
    KEEP: """
        00020002 MediaStorageSOPClassUID
        00020010 TransferSyntaxUID
        00020012 ImplementationClassUID
        00020013 ImplementationVersionName
        00080005 SpecificCharacterSet
        00080008 ImageType
        00080016 SOPClassUID
        00080052 QueryRetrieveLevel
        00080056 InstanceAvailability
        00080060 Modality
        00080061 ModalitiesInStudy
        00080062 SOPClassesInStudy
        00080064 ConversionType
        00080070 Manufacturer
        00080100 CodeValue
        00080102 CodingSchemeDesignator
        00080103 CodingSchemeVersion
        00080104 CodeMeaning
        00080105 MappingResource
        0008010C CodingSchemeUID
        00080117 ContextUID
        00080119 LongCodeValue
        00080120 URNCodeValue
        00080201 TimezoneOffsetFromUTC
        00081090 ManufacturerModelName
        00081150 ReferencedSOPClassUID
        00083002 AvailableTransferSyntaxUID
        00100040 PatientSex
        00101020 PatientSize
        00101030 PatientWeight
        00102150 CountryOfResidence
        00102160 EthnicGroup
        001021A0 SmokingStatus
        001021C0 PregnancyStatus
        00102201 PatientSpeciesDescription
        00102203 PatientSexNeutered
        00120062 PatientIdentityRemoved
        00120063 DeidentificationMethod
        00180015 BodyPartExamined
        00180020 ScanningSequence
        00180021 SequenceVariant
        00180022 ScanOptions
        00180023 MRAcquisitionType
        00180050 SliceThickness
        00180060 KVP
        00181020 SoftwareVersions
        00181040 ContrastBolusRoute
        00181160 FilterType
        00181210 ConvolutionKernel
        00185100 PatientPosition
        00185101 ViewPosition
        00200060 Laterality
        00280004 PhotometricInterpretation
        00280301 BurnedInAnnotation
        00281054 RescaleType
        00282114 LossyImageCompressionMethod
        0040A010 RelationshipType
        0040A040 ValueType
        0040A050 ContinuityOfContent
        0040A491 CompletionFlag
        0040A493 VerificationFlag
        20500020 PresentationLUTShape
    """,
    PROSE: """
        00081030 StudyDescription
        0008103E SeriesDescription
        00081080 AdmittingDiagnosesDescription
        00082111 DerivationDescription
        00084000 IdentifyingComments
        00101080 MilitaryRank
        00101081 BranchOfService
        00102000 MedicalAlerts
        00102110 Allergies
        00102180 Occupation
        001021B0 AdditionalPatientHistory
        00104000 PatientComments
        00120021 ClinicalTrialProtocolName
        00180010 ContrastBolusAgent
        00181030 ProtocolName
        00181400 AcquisitionDeviceProcessingDescription
        00184000 AcquisitionComments
        00189424 AcquisitionProtocolDescription
        00204000 ImageComments
        00209158 FrameComments
        00321030 ReasonForStudy
        00321060 RequestedProcedureDescription
        00324000 StudyComments
        00380040 DischargeDiagnosisDescription
        00380050 SpecialNeeds
        00380500 PatientState
        00384000 VisitComments
        00400007 ScheduledProcedureStepDescription
        00400012 PreMedication
        00400254 PerformedProcedureStepDescription
        00400280 CommentsOnThePerformedProcedureStep
        00400400 CommentsOnTheScheduledProcedureStep
        00401002 ReasonForTheRequestedProcedure
        00401004 PatientTransportArrangements
        00401400 RequestedProcedureComments
        00402400 ImagingServiceRequestComments
        00403001 ConfidentialityConstraintOnPatientDataDescription
        0040A160 TextValue
        00700006 UnformattedTextValue
        00700080 ContentLabel
        00700081 ContentDescription
        4008010B InterpretationText
        40080300 Impressions
        40084000 ResultsComments
    """,
}


def _listed(lines: str) -> list[str]:
    return [line.split()[0] for line in lines.splitlines() if line.strip()]


TAGS = {tag: treatment for treatment, lines in _TAGS.items() for tag in _listed(lines)}
"""Tag (eight upper-case hexadecimal digits) -> treatment."""

BY_VR = {
    "PN": "PERSON",
    **dict.fromkeys(("DA", "DT"), DATE),
    **dict.fromkeys(("TM", "CS", "DS", "IS", "FL", "FD", "SL", "SS", "UL", "US", "SV", "UV", "AT"), KEEP),
    **dict.fromkeys(("LO", "SH", "LT", "ST", "UT", "UC"), SCAN),
    "AS": AGE,
    "AE": "DEVICE_ID",
    "UI": "UNIQUE_ID",
    "UR": "URL",
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), "PHOTO"),
}
"""VR -> treatment of an attribute that TAGS does not list."""
