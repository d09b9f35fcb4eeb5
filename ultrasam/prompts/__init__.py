"""Simulated users: prompts made from masks and random numbers alone, and sessions with a model (`refine`)."""
