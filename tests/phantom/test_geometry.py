import numpy as np
import pytest

from ultrasam.phantom import fans
from ultrasam.phantom.geometry import Linear, Sector, beam_grid, pixel_grid, scan_convert

FANS = [fans.linear, fans.convex, fans.endocavity, fans.sector, fans.radial]


@pytest.mark.parametrize("draw", FANS)
@pytest.mark.parametrize("seed", range(5))
def test_beam_and_display_coordinates_invert_each_other(draw, seed):
    fan = draw(np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.02, 0.98, (40, 1)).astype(np.float32)
    lateral = rng.uniform(0.02, 0.98, (1, 30)).astype(np.float32)
    back_depth, back_lateral = fan.to_beam(*fan.to_display(depth, lateral))
    np.testing.assert_allclose(back_depth, np.broadcast_to(depth, (40, 30)), atol=2e-4)
    np.testing.assert_allclose(back_lateral, np.broadcast_to(lateral, (40, 30)), atol=2e-3)


@pytest.mark.parametrize("draw", FANS)
def test_scan_conversion_of_a_smooth_field_gives_that_field(draw):
    fan = draw(np.random.default_rng(1))
    grid = beam_grid(fan, 256)
    image, inside = scan_convert(100 * grid.x + 50 * grid.y, fan, 256)
    x, y = pixel_grid(256)
    depth, lateral = fan.to_beam(x, y)
    core = inside & (depth > 0.02) & (depth < 0.98)
    if not fan.wraps:
        core &= (lateral > 0.02) & (lateral < 0.98)
    assert core.mean() > 0.2
    assert np.abs(image - (100 * x + 50 * y))[core].max() < 0.4
    assert (image[~inside] == 0).all()


def test_a_linear_fan_covers_the_planned_rectangle():
    _, inside = scan_convert(np.ones((8, 8), np.float32), Linear(0.25, 0.5, 0.5, 0.25), 64)
    expected = np.zeros((64, 64), bool)
    expected[32:48, 16:48] = True
    assert (inside == expected).all()


def test_a_fan_covers_its_analytic_area():
    fan = Sector(0.5, 0.05, 0.1, 0.6, 0.7)
    _, inside = scan_convert(np.ones((8, 8), np.float32), fan, 512)
    assert inside.mean() == pytest.approx(0.7 * (0.6**2 - 0.1**2), rel=0.01)
