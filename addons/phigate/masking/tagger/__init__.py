"""Names and places found by what stands around them: a small model of our own."""

from phigate.masking.tagger.reader import Reader, Tagger, tagger

__all__ = ["Reader", "Tagger", "tagger"]
