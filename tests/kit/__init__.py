"""What tests share: peers, small models, made-up archives, a small training run."""
