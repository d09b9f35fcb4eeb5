"""Models, backbones and data preprocessors that configurations name."""
