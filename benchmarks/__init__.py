"""Benchmarks: each beside its peers in the same run. ``ultrasam bench`` or ``python -m benchmarks``."""
