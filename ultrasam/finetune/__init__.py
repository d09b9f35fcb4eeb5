"""A user's own data in one command: split, train, compare, show. Plain PyTorch, no OpenMMLab."""
