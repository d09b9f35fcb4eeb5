"""Training and test configurations (MMDetection format)."""
