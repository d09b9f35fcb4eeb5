"""``ultrasam weights``."""

import torch

import ultrasam
from ultrasam.cli.main import main


def test_info(tiny_weights, tmp_path, capsys):
    assert main(["weights", "info", str(tiny_weights)]) == 0
    printed = capsys.readouterr().out
    assert "sam weights, width 48, 2 blocks, at 256 px" in printed and "float32" in printed
    assert main(["weights", "convert", str(tiny_weights), str(tmp_path / "t.pth"), "--to", "timm"]) == 0
    assert main(["weights", "info", str(tmp_path / "t.pth")]) == 0
    assert "timm weights of an image encoder alone" in capsys.readouterr().out


def test_convert(tiny_weights, tmp_path, capsys):
    assert main(["weights", "convert", str(tiny_weights), str(tmp_path / "u.pth"), "--to", "ultrasam"]) == 0
    assert main(["weights", "info", str(tmp_path / "u.pth")]) == 0
    assert "4 of them folded" in capsys.readouterr().out
    first, second = (ultrasam.load(p).state_dict() for p in (tiny_weights, tmp_path / "u.pth"))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert main(["weights", "convert", str(tiny_weights), str(tmp_path / "x"), "--to", "jax"]) == 2
    assert "choose from sam, ultrasam" in capsys.readouterr().err


def test_list(capsys):
    assert main(["weights", "list"]) == 0
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().out
