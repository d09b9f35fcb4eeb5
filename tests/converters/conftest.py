"""Lets the tests and their worker processes import the modules beside them; finds the real samples."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
SAMPLES = Path(__file__).parents[3] / "shared" / "samples"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real images in their original trees, where they are at hand."""
    if not SAMPLES.is_dir():
        pytest.skip(f"real samples are not at hand ({SAMPLES})")
    return SAMPLES
