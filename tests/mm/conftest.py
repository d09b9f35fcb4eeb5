"""Everything here needs OpenMMLab."""

import pytest

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")


@pytest.fixture(scope="session", autouse=True)
def _scope():
    from mmengine.registry import init_default_scope

    import ultrasam.mm  # noqa: F401

    init_default_scope("mmdet")
