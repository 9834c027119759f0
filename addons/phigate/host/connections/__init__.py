"""Callers' and model servers' connections: read strictly, bounded in number, time and size, ended in order."""
