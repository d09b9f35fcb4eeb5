"""The network, in plain PyTorch: image encoder, prompt encoder, transformer, mask decoder."""
