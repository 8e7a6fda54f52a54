"""An issue folder becomes an ``Issue``: front matter, blocks and encoded pictures, with all problems at once."""
