"""Which paragraph of 45 CFR part 164 each section of the report supports, and what it does not prove.

Numbers and headings are the regulation's (Code of Federal Regulations, title 45, part 164); what is said beside them is
ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Section:
    """`id` is the anchor; `paragraphs` are number and heading."""

    id: str
    title: str
    paragraphs: tuple[tuple[str, str], ...]
    supports: str
    limits: str


SECTIONS: Final = (
    Section(
        "coverage",
        "Coverage: what was served is what was recorded",
        (("164.312(b)", "Audit controls"),),
        "Every request of a known person is on record before a model hears of it, and its answer before the caller has "
        "all of it. Below, what was let through is set against the answers on record.",
        "that nobody reached a model by another way: traffic that does not pass through the gateway leaves no record "
        "here. Nor that a gap in time was a time without requests; a gateway that did not run served nobody, and says "
        "nothing.",
    ),
    Section(
        "identities",
        "Identities: who asked",
        (("164.312(d)", "Person or entity authentication"), ("164.312(a)(2)(i)", "Unique user identification")),
        "Each exchange carries the person that a trusted issuer vouched for in a bearer whose signature, audience and "
        "time were checked.",
        "that the person at the keyboard was the one the bearer names, or that an account belongs to one person only: "
        "both are the identity provider's to show.",
    ),
    Section(
        "decisions",
        "Access decisions: permitted, held and denied",
        (("164.312(a)(1)", "Access control"), ("164.308(a)(4)(i)", "Information access management")),
        "Which rule of the policy decided, how often and for how many people. Nothing passes that no rule permits.",
        "that the rules are right, or that a person should still hold the role that a rule is about.",
    ),
    Section(
        "emergencies",
        "Break-glass, and its reviews",
        (("164.312(a)(2)(ii)", "Emergency access procedure"),),
        "Each time somebody stated an emergency, what was decided, and whether somebody else looked at it afterwards.",
        "that there was an emergency. A review shows that somebody looked, not that they were right.",
    ),
    Section(
        "disclosures",
        "Disclosures: identifiers that were shown",
        (("164.528", "Accounting of disclosures of protected health information"),),
        "Identifiers in answers that reached the caller as they were, by purpose, kind and recipient. They are counted "
        "by keyed codes; which patients they are is not in this report.",
        "anything about identifiers that no detector found. These are counts of what was shown, most of it uses within "
        "the organisation: what must be in an accounting, and what 164.528(a)(1) exempts (treatment, payment and "
        "health care operations among it), has to be decided for each patient who asks.",
    ),
    Section(
        "masks",
        "Masks in force: which rule shows what to whom",
        (
            ("164.502(b)", "Minimum necessary"),
            ("164.514(d)", "Minimum necessary requirements"),
            ("164.514(b)", "Requirements for de-identification"),
        ),
        "What each rule hid from the people it is for, as it went, and every version of the policy that decided.",
        "that an answer without found identifiers is de-identified: detection misses some, and 164.514(b) asks for an "
        "expert's determination, or for all eighteen kinds removed and no actual knowledge that somebody could be "
        "identified. Nor that a mask shows no more than necessary: that is a judgement about the rule.",
    ),
    Section(
        "unusual",
        "Unusual activity",
        (("164.308(a)(1)(ii)(D)", "Information system activity review"),),
        "What stands out from each person's own past. These are places to look first in the review that the paragraph "
        "asks for.",
        "that anything here is wrong, or that nothing else is: who always did what they should not stands out nowhere, "
        "and who has little past is not measured.",
    ),
    Section(
        "integrity",
        "The journal's integrity",
        (("164.312(c)(1)", "Integrity"), ("164.312(b)", "Audit controls")),
        "Whether the records that this report was made from are those that were written, in order and without a gap.",
        "anything about records after the last checkpoint that an outside anchor holds. Whoever controls the gateway's "
        "machine holds the key that signs checkpoints, so that only the anchor proves what was before.",
    ),
    Section(
        "looks",
        "Who read the journal",
        (("164.308(a)(1)(ii)(D)", "Information system activity review"), ("164.312(b)", "Audit controls")),
        "Reading the journal is itself on record: each command and console page that shows what it holds about people "
        "writes that it did. This report is one of them.",
        "that nobody else read it: files can be read by other means by whoever may open them.",
    ),
    Section(
        "retention",
        "Retention",
        (("164.316(b)(2)(i)", "Time limit"),),
        "How far back the records go, and what was removed. The paragraph asks that required documentation is kept for "
        "six years from its creation, or from when it last was in effect.",
        "which records are documentation in the paragraph's sense, or that there is a copy if this disk is lost.",
    ),
)
