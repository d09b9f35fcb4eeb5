"""Finds the real samples."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real images in their original trees, where they are at hand."""
    if not SAMPLES.is_dir():
        pytest.skip(f"real samples are not at hand ({SAMPLES})")
    return SAMPLES
