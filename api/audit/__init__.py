"""The audit: signed checkpoints of the event log, and what proves events by them."""
