"""Measures seconds: what ``latency.py`` is made of."""
