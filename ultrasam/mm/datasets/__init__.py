"""Data sets, samplers and transforms that configurations name."""
