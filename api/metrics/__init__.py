"""Metrics: what Prometheus is told, and whence each number comes."""
