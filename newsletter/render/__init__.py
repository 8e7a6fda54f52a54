"""The render room: an ``Issue``, a loaded theme and its words become an ``Edition``.

Pure: no clock, no network, no disk (``theme.load_theme`` alone reads files); the same input
gives the same bytes.
"""
