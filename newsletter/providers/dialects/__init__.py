"""The embedded outbox as real providers speak: their checks, their substitution, their answers, over HTTP on loopback.

Written from the providers' public descriptions and from what their users report, each quirk with its date and
source; nothing here was compared with a live account. What an answer decides is pure (``accept`` in ``mailgun`` and
``resend``); ``keep`` writes, ``app`` listens.
"""
