"""A provider that does what goes wrong with providers, and alone knows what it accepted."""
