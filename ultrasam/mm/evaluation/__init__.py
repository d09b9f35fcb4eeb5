"""Metrics that configurations name."""
