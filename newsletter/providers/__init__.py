"""One mail API per file behind one small interface, and the embedded outbox."""
