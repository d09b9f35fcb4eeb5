"""Training a few new parameters of an image encoder instead of all."""

from ultrasam.modeling.adapt.tuning import adapt, trained_parameters

__all__ = ["adapt", "trained_parameters"]
