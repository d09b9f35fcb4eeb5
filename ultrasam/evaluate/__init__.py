"""``ultrasam evaluate``: any checkpoint on any COCO file, with every kind of prompt and on worse images."""
