"""Draft a newsletter issue, preview it, and send it to every subscriber once."""

__version__ = "0.1.0"
