"""How tests look at a structure: everything hidden shows its entity, everything scanned shows that it was."""

from __future__ import annotations

from phigate.masking.structure.recognise import masker


def mark(text):
    return f"<{text}>" if text else text


def hide(entity, text):
    return f"[{entity}]"


def same(text):
    return text


def listening(heard):
    """Eyes that note every text they scan."""

    def render(text):
        heard.append(text)
        return text

    return masker(render, hide)


SHOWING = masker(mark, hide)
"""Scanned texts in angles, hidden ones as their entity."""
HIDING = masker(same, hide)
"""Nothing is found by scanning."""
SEEING = masker(same, lambda _entity, text: text)
"""Eyes from which nothing is hidden."""
