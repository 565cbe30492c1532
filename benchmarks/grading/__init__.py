"""Measures pictures: what ``quality.py`` is made of."""
