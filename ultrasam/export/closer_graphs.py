"""Graphs of models that look at each object a second time, for the same client as `picture_graphs`.

What `ultrasam.predict.closer` does has to happen within the decoder's graph, for the client calls nothing
between encoder and decoder. So the embedding holds the picture beside its features, and the decoder cuts out
the region round the object, encodes it and finds the mask there.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam import preprocess
from ultrasam.errors import ConfigError
from ultrasam.export.picture_graphs import (
    MASK_CELLS,
    ROOM,
    SURE,
    PictureDecoder,
    PictureEncoder,
    as_batch,
    clicks,
    features_of,
    laid_out,
    of_picture,
    resized_sides,
    square,
)
from ultrasam.export.pieces import cleaned
from ultrasam.modeling.sam import Sam
from ultrasam.types import NEGATIVE, POSITIVE

#: Values of a channel; float32 holds all whole numbers up to the third power.
_DEPTH = 256.0


class CloserEncoder(nn.Module):
    """`PictureEncoder`, which gives the picture on behind the features: a number for each pixel."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.look = PictureEncoder(model)
        self.room = room_of(model)

    def forward(self, input_image: Tensor) -> Tensor:
        """A picture (h, w, 3) uint8 RGB to (1, 256, 64, 64)."""
        picture = as_batch(input_image)
        features = self.look.features(picture)
        sides: Any = tuple(kept_sides(torch._shape_as_tensor(picture)[2:], self.room).unbind())
        kept = F.interpolate(picture, sides, mode="bilinear", align_corners=False).round()
        packed = kept[0, 0] + _DEPTH * (kept[0, 1] + _DEPTH * kept[0, 2])
        return laid_out(torch.cat([features.flatten(), packed.flatten()]))


class CloserDecoder(PictureDecoder):
    """One object's mask as `CloserEncoded` finds it; takes and gives what `PictureDecoder` does."""

    def __init__(self, model: Sam) -> None:
        super().__init__(model)
        self.look = PictureEncoder(model)
        self.room = room_of(model)

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mask logits (1, 1, H, W), predicted IoU (1, 1), low-resolution logits (1, 1, 256, 256)."""
        sides = orig_im_size.round().long()
        seen = kept_sides(sides, self.room)
        features, picture = self._unpack(image_embeddings.flatten(), seen)
        points = (of_picture(point_coords, sides) + clicks(point_labels)) * (seen / sides).flip(0).float()
        mask_input = F.interpolate(mask_input, self.cells, mode="bilinear", align_corners=False)
        first = self._first(features, points, point_labels, mask_input, has_mask_input, seen)
        box = _box(points, point_labels, first, seen)
        corner, end = region_graph(box, seen)
        part = picture[:, :, corner[1] : end[1], corner[0] : end[0]]
        shape = torch._shape_as_tensor(part)[2:]
        near = self.look.features(part)
        moved, labels = _within(points - corner.float(), point_labels, shape)
        mask = self._of_part(mask_input, seen, corner, end, shape)
        low, iou = self.all_masks(near, moved - clicks(labels), labels, mask, has_mask_input, shape)
        # Whether it is one click or several: not, how many of them the part shows.
        low, iou = self.one(low, iou, point_labels)
        found = _clipped(self.shown(low, shape), box - corner.repeat(2).float(), point_labels)
        if self.cleanup:
            found = cleaned(found, moved, labels, SURE)
        full = _placed(found, corner, seen)
        whole: Any = tuple(sides.unbind())
        shown = F.interpolate(full, whole, mode="bilinear", align_corners=False)
        return shown, iou, self._cells_of(full, seen, (MASK_CELLS, MASK_CELLS))

    def _unpack(self, row: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Features (1, C, h, w) and the picture (1, 3, H, W)."""
        count = prod(self.shape)
        shape: Any = (1, 1, seen[0], seen[1])
        packed = row[count : count + seen[0] * seen[1]].reshape(shape)
        blue = torch.floor(packed / _DEPTH**2)
        green = torch.floor((packed - blue * _DEPTH**2) / _DEPTH)
        red = packed - blue * _DEPTH**2 - green * _DEPTH
        return row[:count].reshape(self.shape), torch.cat([red, green, blue], dim=1)

    def _first(
        self, features: Tensor, points: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor, seen: Tensor
    ) -> Tensor:
        """The surest of three masks on the whole picture, as logits (H, W)."""
        low, iou = self.all_masks(features, points - clicks(labels), labels, mask, has_mask, seen)
        best = 1 + iou[:, 1:].argmax(dim=1)
        found = self.shown(low[:, best], seen)
        return (cleaned(found, points, labels, SURE) if self.cleanup else found)[0, 0]

    def _cells_of(self, full: Tensor, sides: Tensor, cells: Any) -> Tensor:
        """The inverse of `shown`."""
        resized: Any = tuple(resized_sides(sides, self.size).unbind())
        x = square(F.interpolate(full, resized, mode="bilinear", align_corners=False), self.size, -SURE)
        return F.interpolate(x, cells, mode="bilinear", align_corners=False)

    def _of_part(self, mask: Tensor, seen: Tensor, corner: Tensor, end: Tensor, sides: Tensor) -> Tensor:
        """A mask prompt of the whole picture as one of a part."""
        full = self.shown(mask, seen)[:, :, corner[1] : end[1], corner[0] : end[0]]
        return self._cells_of(full, sides, self.cells)


def room_of(model: Sam) -> int:
    """Pixels of a picture that an embedding holds beside its features.

    Raises:
        ConfigError: less than anybody's pictures have.
    """
    room = ROOM - prod(features_of(model))
    if room < 512 * 512:
        raise ConfigError(
            f"the embedding of a model of {model.img_size} pixels leaves X-AnyLabeling no room for the "
            "picture, which closer views need: note in the weights that they are used without"
        )
    return room


def kept_sides(sides: Tensor, room: int) -> Tensor:
    """The sides (2,) of a picture that has at most so many pixels; its own where that is so."""
    own = sides.double()
    share = torch.sqrt(room / (own[:1] * own[1:])).clamp(max=1)
    return torch.floor(own * share).long().clamp(min=1)


def _within(points: Tensor, labels: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Points (1, K, 2) of a part and their labels, without negative ones that it does not show."""
    outside = ((points < 0) | (points >= shape.flip(0).float())).any(dim=2)
    kept = ~((labels == NEGATIVE) & outside)[0]
    return points[:, kept], labels[:, kept]


def _box(xy: Tensor, labels: Tensor, first: Tensor, seen: Tensor) -> Tensor:
    """Where the object is, (4,) xyxy: its box or that of a first mask, with a pixel round its own points."""
    row = (first > 0).any(dim=0).to(first.dtype)
    column = (first > 0).any(dim=1).to(first.dtype)
    (left, right), (top, bottom) = _ends(row), _ends(column)
    found = torch.stack([left, top, right, bottom])
    corners = [(xy * (labels == kind).to(xy.dtype)[..., None]).sum(dim=(0, 1)) for kind in (2, 3)]
    box = torch.where((labels == 2).any(), torch.cat(corners), found)
    far = torch.full_like(xy, 1e6)
    own = (labels == POSITIVE)[..., None]
    low = torch.where(own, xy - 0.5, far).amin(dim=(0, 1))
    high = torch.where(own, xy + 0.5, -far).amax(dim=(0, 1))
    box = torch.cat([torch.minimum(box[:2], low), torch.maximum(box[2:], high)])
    limit = seen.flip(0).float()
    return torch.minimum(box.clamp(min=0), torch.cat([limit, limit]))


def _ends(line: Tensor) -> tuple[Tensor, Tensor]:
    """From the first to behind the last 1 of a line; all of it where there is none."""
    number = torch.ones_like(line).cumsum(0)
    count = number.max()
    last = (number * line).max()
    first = count - ((count + 1 - number) * line).max()
    return torch.where(last > 0, first, 0 * first), torch.where(last > 0, last, count)


def region_graph(box: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """`preprocess.region` of a box (4,): corners (2,) x, y in whole pixels."""
    box, size = box.double(), seen.flip(0).double()
    # One number alone would be made float32, and edges lie on whole pixels: there the last digit decides.
    share = torch.tensor([preprocess.REGION_SHARE], dtype=torch.float64)
    longer = (box[2:] - box[:2]).amax(dim=0, keepdim=True) / share
    half = longer.clamp(min=preprocess.REGION_SMALLEST) / 2
    center = (box[:2] + box[2:]) / 2
    corner = torch.minimum(torch.floor(center - half).clamp(min=0), size - 1)
    end = torch.minimum(torch.maximum(torch.ceil(center + half), corner + 1), size)
    return corner.long(), end.long()


def _placed(part: Tensor, corner: Tensor, seen: Tensor) -> Tensor:
    """Logits (1, 1, h, w) of a part in the whole picture; nothing is outside of it."""
    for dim, axis in ((2, 1), (3, 0)):
        shape = list(part.shape)
        before: Any = [corner[axis] if d == dim else shape[d] for d in range(4)]
        after: Any = [seen[dim - 2] if d == dim else shape[d] for d in range(4)]
        pieces = [torch.full(before, -SURE), part, torch.full(after, -SURE)]
        side: Any = seen[dim - 2]
        part = torch.cat(pieces, dim=dim).narrow(dim, 0, side)
    return part


def _clipped(full: Tensor, box: Tensor, labels: Tensor) -> Tensor:
    """Nothing outside of a given box: pixels that it does not touch."""
    held = torch.ones(full.shape[2:])
    for dim, (low, high) in enumerate(((box[1], box[3]), (box[0], box[2]))):
        number = held.cumsum(dim) - 1
        held = held * ((number >= torch.floor(low)) & (number < torch.ceil(high))).float()
    keep = (held > 0) | ~(labels == 2).any()
    return torch.where(keep, full, torch.full_like(full, -SURE))
