"""Variants by the names of version 0.1: the same numbers, and a word about the new name."""

from dataclasses import replace

import pytest

from ultrasam.modeling.build import VARIANTS, Variant
from ultrasam.modeling.old_fields import NEW_NAMES, as_written

NEW = Variant(24, 2, 3, (1,), 128, 5, out_chans=64)


def test_made_by_old_names():
    with pytest.warns(DeprecationWarning, match="'width' is called 'embed_dim' now"):
        found = Variant(width=24, depth=2, heads=3, global_blocks=(1,), img_size=128, window=5, channels=64)
    assert found == NEW
    with pytest.warns(DeprecationWarning, match="'window' is called 'window_size' now"):
        assert replace(NEW, window=7) == replace(NEW, window_size=7)


@pytest.mark.parametrize(("old", "new"), NEW_NAMES.items())
def test_read_by_old_names(old, new):
    with pytest.warns(DeprecationWarning, match=f"'{old}' is called '{new}' now") as told:
        assert getattr(NEW, old) == getattr(NEW, new)
    assert told[0].filename == __file__
    assert not hasattr(NEW, "height")


def test_files_beside_weights_keep_their_names():
    assert as_written(VARIANTS["vit_t"]) == {
        "width": 192,
        "depth": 8,
        "heads": 3,
        "global_blocks": (1, 3, 5, 7),
        "img_size": 256,
        "window": 8,
        "patch_size": 16,
        "channels": 256,
        "mlp_ratio": 4.0,
        "adapter": 0,
    }
