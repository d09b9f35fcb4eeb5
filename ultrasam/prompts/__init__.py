"""Simulated users: prompts made from masks, and what they do with a first prediction."""
