"""The cases of every protocol, each protocol's in a file of its own."""

from typing import Final

from phigate.conformance.tables import openai_chat

CASES: Final = (*openai_chat.CASES,)
DIALECTS: Final = tuple(dict.fromkeys(case.dialect for case in CASES))
