"""The audience: people, their consent, and who must not be mailed; import as plan and apply."""
