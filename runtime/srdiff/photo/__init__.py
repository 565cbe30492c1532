"""Photographs: files and arrays to pixels and back, with everything that belongs to them."""
