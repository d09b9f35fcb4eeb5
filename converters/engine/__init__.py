"""What all converters share: find, read, masks, COCO, split, merge."""
