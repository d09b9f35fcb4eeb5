"""What objects do to the image, with one planted object in uniform tissue."""

import numpy as np
import pytest

from ultrasam.phantom.artifacts import Artifacts, add_side_lobes
from ultrasam.phantom.geometry import Linear, beam_grid, scan_convert
from ultrasam.phantom.lesion import Lesion, paint_lesion
from ultrasam.phantom.outline import TABLE, Outline
from ultrasam.phantom.scenes import Scene
from ultrasam.phantom.simulate import render
from ultrasam.phantom.tissue import Layer, Medium

FAN = Linear(0, 0, 1, 1)
ROUND = Outline(0.5, 0.4, 0.15, 0.15, 0, 0, np.ones(TABLE, np.float32))
CLEAN = Artifacts(ripple=0, shading=0, noise=-60, reverberation=0, side_lobes=-60)


def image_of(artifacts: Artifacts = CLEAN, **properties: object) -> np.ndarray:
    lesion = Lesion("cyst", ROUND, **{"echo": 0.0, "leak": 0.0, **properties})
    scene = Scene(FAN, (Layer(0, 0),), (lesion,), artifacts)
    streams = [np.random.default_rng((0, stream)) for stream in range(4)]
    return render(scene, 256, streams)[0].astype(float)


def part(image: np.ndarray, x: float, y: float, half: float = 0.05) -> float:
    rows, columns = (slice(int((c - half) * 256), int((c + half) * 256)) for c in (y, x))
    return float(image[rows, columns].mean())


@pytest.mark.parametrize(("echo", "sign"), [(-30, -1), (-12, -1), (8, 1)])
def test_echogenicity_is_seen_inside_alone(echo, sign):
    image = image_of(echo=echo)
    inside, beside = part(image, 0.5, 0.4), part(image, 0.15, 0.4)
    assert sign * (inside - beside) > 25
    assert abs(part(image, 0.85, 0.4) - beside) < 15


def test_sound_is_lost_behind_a_calcified_object_and_gained_behind_a_cyst():
    plain = part(image_of(), 0.5, 0.8)
    assert part(image_of(loss=80), 0.5, 0.8) < plain - 50
    assert part(image_of(loss=-25), 0.5, 0.8) > plain + 15


def test_a_fleck_is_bright_and_throws_a_narrow_shadow():
    image = image_of(flecks=((0.5, 0.4, 0.008),))
    assert part(image, 0.5, 0.4, 0.008) > part(image, 0.3, 0.4) + 30
    assert part(image, 0.5, 0.7, 0.008) < part(image, 0.6, 0.7, 0.02) - 30


def test_a_wall_shows_where_it_faces_the_beam_and_drops_out_at_the_sides():
    image = image_of(echo=-30, wall=16)
    assert part(image, 0.5, 0.25, 0.008) > part(image, 0.35, 0.4, 0.008) + 40


def test_side_lobes_carry_bright_tissue_into_the_dark_beside_it():
    grid = beam_grid(FAN, 256)
    bright = np.where(grid.x < 0.5, 1, 0).astype(np.float32)
    hazy = add_side_lobes(bright, grid, Artifacts(side_lobes=-20))
    np.testing.assert_allclose(hazy[:, :64], 1.1, atol=2e-3)
    np.testing.assert_allclose(hazy[:, 127:129].mean() - 0.5, 0.05, atol=5e-3)
    assert hazy[:, 192:].max() < 1e-3


def test_bad_contact_darkens_a_column():
    lifted = Artifacts(ripple=0, shading=0, contact=((0.1, 0.05, 20),))
    image = image_of(lifted)
    assert part(image, 0.1, 0.7, 0.02) < part(image, 0.85, 0.7) - 50


def test_the_border_in_the_medium_is_the_mask_s_border():
    grid = beam_grid(FAN, 256)
    medium = Medium(*(np.zeros_like(grid.x) for _ in range(3)))
    lesion = Lesion("cyst", ROUND, echo=-30, mottle=0, leak=0)
    paint_lesion(lesion, medium, grid, np.random.default_rng(0))
    dark, _ = scan_convert(medium.echo, FAN, 256)
    x, y = np.meshgrid(*[(np.arange(256, dtype=np.float32) + 0.5) / 256] * 2)
    assert ((dark < -15) ^ ROUND.mask(x, y)).sum() < 10
