"""Graphs of models that look at each object a second time, for the same clients as `frame_graphs`.

What `ultrasam.predict.closer` does has to happen within the decoder's graph, for clients call nothing between
encoder and decoder but hand on what the encoder gave, whatever its shape. So the embedding is one row of
numbers that holds the picture beside its features, and the decoder cuts out the region round the object,
encodes it and finds the mask there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam import preprocess
from ultrasam.export.frame_graphs import (
    FRAME,
    MASK_CELLS,
    NOT_SEEN,
    FrameEncoder,
    clicked,
    resized_sides,
    whole,
)
from ultrasam.export.graphs import DecoderGraph
from ultrasam.modeling.sam import Sam


class CloserEncoder(nn.Module):
    """`FrameEncoder`, which gives the picture on: (1, 2 + C h w + 3 H W).

    Height and width of what is seen of the picture, the features, and that part itself in 0..255.
    """

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.frame = FrameEncoder(model)

    def forward(self, input_image: Tensor) -> Tensor:
        """A picture (h, w, 3) to one row of numbers."""
        features, picture = self.frame.seen(input_image)
        sides = torch._shape_as_tensor(picture)[2:].float()
        return torch.cat([sides, features.flatten(), picture.flatten()])[None]


class CloserDecoder(nn.Module):
    """One object's mask as `CloserEncoded` finds it; takes and gives what `FrameDecoder` does, N is 1."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.encoder = model.image_encoder
        self.decoder = DecoderGraph(model, single_mask=True)
        self.size = model.img_size
        self.cells = model.prompt_encoder.mask_input_size
        self.shape = (1, model.prompt_encoder.embed_dim, *model.prompt_encoder.image_embedding_size)

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
        features, picture = self._unpack(image_embeddings)
        seen = torch._shape_as_tensor(picture)[2:]
        points = clicked(point_coords, point_labels)
        mask_input = F.interpolate(mask_input, self.cells, mode="bilinear", align_corners=False)
        first = self._first(features, points, point_labels, mask_input, has_mask_input, seen)
        box = _box(points, point_labels, first, seen)
        corner, end = _region(box, seen)
        part = picture[:, :, corner[1] : end[1], corner[0] : end[0]]
        sides = torch._shape_as_tensor(part)[2:]
        near = self._embed(part, sides)
        moved = points - corner.float()
        hidden = (point_labels == 0) & ((moved < 0) | (moved >= sides.flip(0).float())).any(dim=2)
        labels = torch.where(hidden, torch.full_like(point_labels, -1), point_labels)
        mask = self._of_part(mask_input, seen, corner, end, sides)
        low, iou = self._decode(near, moved, labels, mask, has_mask_input, sides)
        full = self._shown(low, sides)
        full = _clipped(_placed(full, corner, seen), box, point_labels)
        return whole(full, orig_im_size, seen), iou, self._cells_of(full, seen, MASK_CELLS)

    def _unpack(self, row: Tensor) -> tuple[Tensor, Tensor]:
        """Features (1, C, h, w) and the picture (1, 3, H, W)."""
        count = self.shape[1] * self.shape[2] * self.shape[3]
        height, width = row[0, :2].round().long().unbind()
        shape: Any = (1, 3, height, width)
        return row[:, 2 : 2 + count].reshape(self.shape), row[:, 2 + count :].reshape(shape)

    def _embed(self, part: Tensor, sides: Tensor) -> Tensor:
        """Features of a part of the picture, which fills the network's input."""
        resized: Any = tuple(resized_sides(sides, self.size).unbind())
        x = F.interpolate(part, resized, mode="bilinear", align_corners=False)
        x = _square(preprocess.normalize(x.round()), self.size, 0.0)
        return self.encoder(x)

    def _decode(
        self, features: Tensor, xy: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor, sides: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits in cells and predicted IoU for points in continuous pixels of an image of these sides."""
        scale = resized_sides(sides, self.size).float() / sides.float()
        # The decoder's graph takes pixel indices.
        return self.decoder.low(features, xy * scale.flip(0) - 0.5, labels, mask, has_mask)

    def _first(
        self, features: Tensor, xy: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor, seen: Tensor
    ) -> Tensor:
        """The surest of three masks on the whole picture, as logits (H, W)."""
        scale = resized_sides(seen, self.size).float() / seen.float()
        low, iou = self.decoder.all_masks(features, xy * scale.flip(0) - 0.5, labels, mask, has_mask)
        best = 1 + iou[:, 1:].argmax(dim=1)
        return self._shown(low[:, best], seen)[0, 0]

    def _shown(self, low: Tensor, sides: Tensor) -> Tensor:
        """Logits in cells (1, 1, 4h, 4w) as the pixels (1, 1, H, W) of an image of these sides."""
        full = F.interpolate(low, (self.size, self.size), mode="bilinear", align_corners=False)
        resized = resized_sides(sides, self.size)
        shape: Any = tuple(sides.unbind())
        return F.interpolate(
            full[..., : resized[0], : resized[1]], shape, mode="bilinear", align_corners=False
        )

    def _cells_of(self, full: Tensor, sides: Tensor, cells: Any) -> Tensor:
        """The inverse of `_shown`."""
        resized: Any = tuple(resized_sides(sides, self.size).unbind())
        x = _square(F.interpolate(full, resized, mode="bilinear", align_corners=False), self.size, NOT_SEEN)
        return F.interpolate(x, cells, mode="bilinear", align_corners=False)

    def _of_part(self, mask: Tensor, seen: Tensor, corner: Tensor, end: Tensor, sides: Tensor) -> Tensor:
        """A mask prompt of the whole picture as one of a part."""
        full = self._shown(mask, seen)[:, :, corner[1] : end[1], corner[0] : end[0]]
        return self._cells_of(full, sides, self.cells)


def _box(xy: Tensor, labels: Tensor, first: Tensor, seen: Tensor) -> Tensor:
    """Where the object is, (4,) xyxy: its box or that of a first mask, with a pixel round its own points."""
    row = (first > 0).any(dim=0).to(first.dtype)
    column = (first > 0).any(dim=1).to(first.dtype)
    (left, right), (top, bottom) = _ends(row), _ends(column)
    found = torch.stack([left, top, right, bottom])
    corners = [(xy * (labels == kind).to(xy.dtype)[..., None]).sum(dim=(0, 1)) for kind in (2, 3)]
    box = torch.where((labels == 2).any(), torch.cat(corners), found)
    far = torch.full_like(xy, 1e6)
    own = (labels == 1)[..., None]
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


def _region(box: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """`preprocess.region` of a box (4,): corners (2,) x, y in whole pixels."""
    size = seen.flip(0).float()
    longer = (box[2:] - box[:2]).max() / preprocess.REGION_SHARE
    half = longer.clamp(min=preprocess.REGION_SMALLEST) / 2
    center = (box[:2] + box[2:]) / 2
    corner = torch.minimum(torch.floor(center - half).clamp(min=0), size - 1)
    end = torch.minimum(torch.maximum(torch.ceil(center + half), corner + 1), size)
    return corner.long(), end.long()


def _square(x: Tensor, size: int, value: float) -> Tensor:
    """An image (1, C, h, w) with more at the bottom and right up to a square; sides are not known here."""
    channels = x.shape[1]
    below: Any = (1, channels, size, x.shape[3])
    x = torch.cat([x, torch.full(below, value, dtype=x.dtype)], dim=2)[:, :, :size]
    return torch.cat([x, torch.full((1, channels, size, size), value, dtype=x.dtype)], dim=3)[..., :size]


def _placed(part: Tensor, corner: Tensor, seen: Tensor) -> Tensor:
    """Logits (1, 1, h, w) of a part in the whole picture; nothing is outside of it."""
    for dim, axis in ((2, 1), (3, 0)):
        shape = list(part.shape)
        before: Any = [corner[axis] if d == dim else shape[d] for d in range(4)]
        after: Any = [seen[dim - 2] if d == dim else shape[d] for d in range(4)]
        pieces = [torch.full(before, NOT_SEEN), part, torch.full(after, NOT_SEEN)]
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
    return torch.where(keep, full, torch.full_like(full, NOT_SEEN))


def closer_example(model: Sam) -> tuple[Tensor, ...]:
    """Inputs of the decoder's graph: random but for the prompts, a box and a point."""
    count = model.prompt_encoder.embed_dim * int(
        torch.tensor(model.prompt_encoder.image_embedding_size).prod()
    )
    height, width = 96, 128
    row = torch.cat([torch.tensor([height, width]), torch.randn(count), torch.rand(3 * height * width) * 255])
    coords = torch.tensor([[[30.0, 20.0], [90.0, 70.0], [50.0, 40.0]]])
    labels = torch.tensor([[2.0, 3.0, 1.0]])
    mask = torch.randn(1, 1, MASK_CELLS, MASK_CELLS)
    return row[None], coords, labels, mask, torch.ones(1), torch.tensor([FRAME // 2, FRAME]).float()
