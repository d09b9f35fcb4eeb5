"""Kinds of bad input: each ends in an error that says what is wrong and what to do, never in a traceback."""

import json
import os
import pickle

import cv2
import numpy as np
import pytest
import torch

import ultrasam
from ultrasam import checkpoints
from ultrasam.errors import UltraSamError
from ultrasam.export import onnx_files as export
from ultrasam.predict import measure
from ultrasam.predict.embeddings_cache import EmbeddingsCache
from ultrasam.predict.files import dicom, prompt_files, sources
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.types import Prompts

BOX = [10, 10, 60, 50]
NAN = float("nan")


@pytest.fixture
def ready(tiny_model):
    predictor = Predictor(tiny_model)
    predictor.set_image(np.zeros((90, 140, 3), np.uint8))
    return predictor


# what is given, and a part of what the user is told
PROMPTS = {
    "no prompt": ({}, "no prompt"),
    "empty points": ({"point_coords": np.zeros((0, 2)), "point_labels": []}, "no prompt"),
    "points of three numbers": ({"point_coords": [[1, 2, 3]]}, r"\(K, 2\)"),
    "flat points": ({"point_coords": [4, 5]}, r"\(K, 2\)"),
    "NaN point": ({"point_coords": [[NAN, 5]]}, "not finite"),
    "infinite box": ({"box": [0, 0, float("inf"), 9]}, "not finite"),
    "point outside": ({"point_coords": [[500, 5]]}, "outside its image of 140 x 90"),
    "negative point": ({"point_coords": [[-3, 5]]}, "outside"),
    "words for points": ({"point_coords": [["a", "b"]]}, "must be numbers"),
    "too few labels": ({"point_coords": [[1, 2], [3, 4]], "point_labels": [1]}, "2 points and labels"),
    "unknown label": ({"point_coords": [[1, 2]], "point_labels": [7]}, "label 7"),
    "labels alone": ({"point_labels": [1], "box": BOX}, "no points"),
    "box with x2 < x1": ({"box": [60, 10, 10, 50]}, "x1 < x2"),
    "box without area": ({"box": [10, 10, 10, 50]}, "empty"),
    "box outside": ({"box": [200, 100, 300, 200]}, "outside its image"),
    "box of three numbers": ({"box": [1, 2, 3]}, r"\(4,\)"),
    "mask of another size": ({"mask_input": np.zeros((1, 256, 256))}, r"\(1, 64, 64\)"),
    "boolean mask": ({"mask_input": np.zeros((1, 64, 64), bool)}, "logits"),
    "NaN mask": ({"mask_input": np.full((1, 64, 64), NAN)}, "not finite"),
}


@pytest.mark.parametrize("kind", sorted(PROMPTS))
def test_prompts(ready, kind):
    given, told = PROMPTS[kind]
    with pytest.raises(UltraSamError, match=told):
        ready.predict(**given)


IMAGES = {
    "a list": ([[1, 2], [3, 4]], {}, "numpy array"),
    "one dimension": (np.zeros(9, np.uint8), {}, r"\(H, W\)"),
    "channels first": (np.zeros((3, 90, 140), np.uint8), {}, "channels come last"),
    "no pixels": (np.zeros((0, 9, 3), np.uint8), {}, "empty"),
    "20,000 pixels": (np.zeros((20000, 8), np.uint8), {}, "16384"),
    "booleans": (np.zeros((9, 9), bool), {}, "numbers"),
    "complex numbers": (np.zeros((9, 9), complex), {}, "numbers"),
    "16 bits without a window": (np.zeros((9, 9), np.uint16), {}, "with a window"),
    "floats without a window": (np.zeros((9, 9), np.float32), {}, "with a window"),
    "NaN pixels": (np.full((9, 9), NAN), {"window": (0, 1)}, "not finite"),
    "an empty window": (np.zeros((9, 9)), {"window": (5, 5)}, "low must be below high"),
    "a window of one": (np.zeros((9, 9)), {"window": (5,)}, "minmax"),
    "unknown color order": (np.zeros((9, 9, 3), np.uint8), {"order": "HSV"}, "RGB"),
}


@pytest.mark.parametrize("kind", sorted(IMAGES))
def test_images(tiny_model, kind):
    image, options, told = IMAGES[kind]
    predictor = Predictor(tiny_model, window=options.get("window"))
    with pytest.raises(UltraSamError, match=told):
        predictor.set_image(image, options.get("order", "RGB"))
    assert not predictor.is_image_set


def test_one_pixel_is_an_image(tiny_model):
    """Small, but not wrong."""
    predictor = Predictor(tiny_model)
    predictor.set_image(np.zeros((1, 1, 3), np.uint8))
    assert predictor.predict(point_coords=[[0, 0]])[0].shape == (3, 1, 1)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("/nowhere",))


def _write(path, content):
    path.write_bytes(content)
    return path


def _save(path, content):
    torch.save(content, path)
    return path


def _without(state, word):
    return {k: v for k, v in state.items() if word not in k}


TOKEN = "mask_decoder.iou_token.weight"
CHECKPOINTS = {
    "missing file": (lambda p, s: p, "no weight file"),
    "empty file": (lambda p, s: _write(p, b""), "empty"),
    "text": (lambda p, s: _write(p, b"<html>404</html>"), "web page"),
    "cut off": (lambda p, s: _write(p, _save(p, s).read_bytes()[:50000]), "not a readable weight file"),
    "hostile pickle": (lambda p, s: _save(p, {"model": s, "x": Bomb()}), "run code"),
    "hostile bytes": (lambda p, s: _write(p, pickle.dumps(Bomb())), "w.pth"),
    "no tensors": (lambda p, s: _save(p, {"epoch": 3}), "no weights"),
    "a list": (lambda p, s: _save(p, [1, 2]), "no weights"),
    "another network": (lambda p, s: _save(p, {"fc.weight": torch.zeros(3, 3)}), "not the weights of"),
    "an encoder alone": (lambda p, s: _save(p, _without(s, "mask_decoder")), "load_encoder"),
    "a part missing": (lambda p, s: _save(p, _without(s, "no_mask")), "missing 1: prompt_encoder.no_mask"),
    "NaN weights": (
        lambda p, s: _save(p, s | {TOKEN: torch.full((1, 256), NAN)}),
        "NaN",
    ),
    "a shape wrong": (
        lambda p, s: _save(p, s | {TOKEN: torch.zeros(1, 9)}),
        r"\(1, 9\)",
    ),
    "an empty folder": (lambda p, s: p.parent, "holds no weight file"),
    "damaged safetensors": (
        lambda p, s: _write(p.with_suffix(".safetensors"), b"\0" * 5 + b"123"),
        "no weight file",
    ),
}


@pytest.mark.parametrize("kind", sorted(CHECKPOINTS))
def test_checkpoints(tiny_model, tmp_path, kind):
    make, told = CHECKPOINTS[kind]
    path = make(tmp_path / "w.pth", dict(tiny_model.state_dict()))
    with pytest.raises(UltraSamError, match=told) as error:
        ultrasam.load(path)
    assert str(path) in str(error.value)


def _structured_report(path):
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = pydicom.dataset.Dataset()
    dataset.file_meta, dataset.Modality = meta, "SR"
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def _tiff16(path):
    cv2.imwrite(str(path), np.zeros((9, 9), np.uint16))
    return path


def _frames(path):
    (source,) = sources.find([path])
    return [frame.read() for frame in sources.frames(source, "x")]


def _coco(path, **changes):
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"id": 5, "image_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [],
    }
    path.write_text(json.dumps(content | changes))
    return path


FILES = {
    "DICOM without pixels": (
        lambda t: dicom.open_clip(_structured_report(t / "sr.dcm")),
        "without pixels",
    ),
    "not DICOM": (lambda t: dicom.open_clip(_write(t / "x.dcm", b"x" * 200)), "not a readable DICOM"),
    "not an image": (lambda t: _frames(_write(t / "x.png", b"x")), "not a readable image"),
    "not a video": (lambda t: _frames(_write(t / "x.mp4", b"x")), "not a readable video"),
    "16 bits, no window": (lambda t: _frames(_tiff16(t / "x.tif")), "16 bits"),
    "no such file": (lambda t: sources.find([t / "none.png"]), "no file, folder or match"),
    "an empty folder": (lambda t: sources.find([t]), "holds no image"),
    "no COCO file": (lambda t: prompt_files.from_coco(_write(t / "b.json", b"{}")), "not a COCO file"),
    "COCO box of NaN": (
        lambda t: prompt_files.from_coco(
            _coco(t / "b.json", annotations=[{"id": 5, "image_id": 1, "bbox": [NAN, 1, 2, 3]}])
        ),
        "annotation 5 has no valid bbox",
    ),
    "COCO box of no image": (
        lambda t: prompt_files.from_coco(
            _coco(t / "b.json", annotations=[{"id": 5, "image_id": 9, "bbox": [1, 1, 2, 3]}])
        ),
        "annotation 5 belongs to image 9",
    ),
    "a box of letters": (lambda t: prompt_files.parse_box("a,b,c,d"), "x1,y1,x2,y2"),
    "a point of four": (lambda t: prompt_files.parse_points(["1,2,3,4"]), "x,y,label"),
    "an object of nonsense": (lambda t: prompt_files.parse_object("circle=3"), "circle=3"),
    "a cache that is a file": (lambda t: EmbeddingsCache(_write(t / "c", b"")), "cache folder"),
}


@pytest.mark.parametrize("kind", sorted(FILES))
def test_files(tmp_path, kind):
    make, told = FILES[kind]
    with pytest.raises(UltraSamError, match=told):
        make(tmp_path)


CALLS = {
    "predict before set_image": (lambda m: Predictor(m).predict(box=BOX), "set_image"),
    "no images": (lambda m: Predictor(m).set_image_batch([]), "one image or more"),
    "a tensor that was not resized": (
        lambda m: Predictor(m).set_torch_image(torch.zeros(1, 3, 999, 999), (9, 9)),
        "within 256",
    ),
    "unknown device": (lambda m: Predictor(m, device="abacus"), "try 'cpu'"),
    "image index beyond the batch": (
        lambda m: m.decode(
            torch.zeros(1, 256, 16, 16), Prompts(torch.tensor([3]), boxes=torch.ones(1, 4)), multimask=False
        ),
        "1 images",
    ),
    "unknown variant": (lambda m: ultrasam.build_ultrasam("vit_x"), "vit_b"),
    "unknown format": (lambda m: checkpoints.save(m.state_dict(), "x", "jax"), "choose from"),
    "unknown weights": (lambda m: ultrasam.load("sam_vit_x"), "sam_vit_b"),
    "unknown precision": (lambda m: export.to_onnx(m, "x", precisions=("int4",)), "fp32"),
    "spacing of zero": (lambda m: measure.measure(np.ones((3, 3), bool), (0.0, 1.0)), "positive"),
}


@pytest.mark.parametrize("kind", sorted(CALLS))
def test_calls(tiny_model, kind):
    call, told = CALLS[kind]
    with pytest.raises(UltraSamError, match=told):
        call(tiny_model)


def test_objects_on_other_images(ready):
    with pytest.raises(UltraSamError, match="object 2 is on image 4, there are 1"):
        ready.segment([ObjectPrompt(box=BOX), ObjectPrompt(box=BOX, image=4)])


def test_how_many_kinds():
    assert sum(map(len, (PROMPTS, IMAGES, CHECKPOINTS, FILES, CALLS))) >= 70
