"""The states and territories of the United States, which Safe Harbor lets stand (45 CFR 164.514(b)(2)(i)(B))."""

from __future__ import annotations

import re

STATES = {
    "AL": "Alabama",
    "AK": "Alaska",
    "AZ": "Arizona",
    "AR": "Arkansas",
    "CA": "California",
    "CO": "Colorado",
    "CT": "Connecticut",
    "DE": "Delaware",
    "DC": "District of Columbia",
    "FL": "Florida",
    "GA": "Georgia",
    "HI": "Hawaii",
    "ID": "Idaho",
    "IL": "Illinois",
    "IN": "Indiana",
    "IA": "Iowa",
    "KS": "Kansas",
    "KY": "Kentucky",
    "LA": "Louisiana",
    "ME": "Maine",
    "MD": "Maryland",
    "MA": "Massachusetts",
    "MI": "Michigan",
    "MN": "Minnesota",
    "MS": "Mississippi",
    "MO": "Missouri",
    "MT": "Montana",
    "NE": "Nebraska",
    "NV": "Nevada",
    "NH": "New Hampshire",
    "NJ": "New Jersey",
    "NM": "New Mexico",
    "NY": "New York",
    "NC": "North Carolina",
    "ND": "North Dakota",
    "OH": "Ohio",
    "OK": "Oklahoma",
    "OR": "Oregon",
    "PA": "Pennsylvania",
    "PR": "Puerto Rico",
    "RI": "Rhode Island",
    "SC": "South Carolina",
    "SD": "South Dakota",
    "TN": "Tennessee",
    "TX": "Texas",
    "UT": "Utah",
    "VT": "Vermont",
    "VA": "Virginia",
    "WA": "Washington",
    "WV": "West Virginia",
    "WI": "Wisconsin",
    "WY": "Wyoming",
}
"""Postal abbreviation -> name."""
LAST = re.compile(
    rf"[,\s]\s*(?:(?P<short>{'|'.join(STATES)})|(?P<name>(?i:{'|'.join(STATES.values())})))"
    r"(?:,?\s+\d{5}(?:-\d{4})?)?(?:,?\s+(?:USA?|U\.S\.A?\.?))?\.?\s*$"
)
NAMED = {name.lower(): name for name in STATES.values()}


def state_of(text: str) -> str | None:
    """The state that an address or a place ends with: `12 Main St, Salem, MA 01970` is in `Massachusetts`."""
    found = LAST.search(text)
    if not found:
        return None
    return STATES[found["short"]] if found["short"] else NAMED[found["name"].lower()]
