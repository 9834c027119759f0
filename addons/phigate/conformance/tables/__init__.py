"""The cases of every protocol, each protocol's in a file of its own."""

from typing import Final

from phigate.conformance.tables import (
    anthropic,
    cohere,
    kserve,
    mcp,
    ollama,
    openai_chat,
    openai_completions,
    openai_others,
    openai_responses,
    servers,
    tgi,
)

_FILES: Final = (
    *(openai_chat, openai_completions, openai_responses, openai_others, anthropic, ollama),
    *(tgi, cohere, kserve, servers, mcp),
)
CASES: Final = tuple(case for file in _FILES for case in file.CASES)
DIALECTS: Final = tuple(dict.fromkeys(case.dialect for case in CASES))
