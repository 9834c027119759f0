"""Recorded flows: read from files within bounds, drawn from a journal, decided again."""
