"""The public side: what readers' links lead to, and what was published."""
