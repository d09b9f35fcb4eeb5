"""US-43d: raw public ultrasound archives to COCO."""
