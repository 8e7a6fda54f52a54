"""A text of another kind becomes an issue folder: read, recognised, written, and nothing of it lost."""
