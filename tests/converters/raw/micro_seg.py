"""The record of MUP under its other name."""

from .mup import make

__all__ = ["make"]
