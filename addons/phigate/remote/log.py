"""What stands in a pipeline's log: one line a text, and none that whoever runs the job would do what it says. Pure.

Runners do what a line says that begins with `::` (GitHub Actions), or that has `##[` or `##vso[` anywhere (GitHub's
older form, Azure Pipelines): set an output, hide a word, stop listening. Models, their servers and approvers give no
orders.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from phigate.audit.questions.show import plain

if TYPE_CHECKING:
    from rich.text import Text

_ORDER: Final = re.compile(r"^::|##(?=\[|vso\[)", re.IGNORECASE)


def line(text: object) -> Text:
    """Untrusted text, as it may stand in a log."""
    return plain(_ORDER.sub(lambda found: " ".join(found[0]), " ".join(plain(text).plain.split())))
