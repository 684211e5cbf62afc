"""What an export task is, and what may happen to it."""
