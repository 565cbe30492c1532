"""The service behind ``srdiff-serve``: one line in front of the workers, HTTP before it, a page on top."""
