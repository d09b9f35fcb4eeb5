"""Every score of a mask, and ``ultrasam evaluate``: any checkpoint on any COCO file, one report.

- mAP of predictions, and the mean IoU and Dice beside it: `coco_map`.
- IoU, Dice, HD95, boundary F of two masks, clicks to an IoU, calibration: `metrics`.
- Prompting each object of a COCO file, with a model or a baseline: `prompting`; the masks that a box or a
  point gives without a network: `baselines`.
- What ``ultrasam evaluate`` asks, and which baseline answers what: `protocol`; on which images: `samples`.
- One image's answers (`records`) and how they come about: `examine`; all images', and on from a break:
  `evaluate`.
- What is aggregated from the records, and how: `results` and `scores`.
- How that is shown: `tables`, `plots`, `evaluate_page`; the paper's own numbers: `paper_tables`.

Scores of classes and of numbers of whole images are in `ultrasam.downstream.label_metrics`.
"""
