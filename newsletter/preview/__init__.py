"""What the author looks at: the outbox in the browser."""
