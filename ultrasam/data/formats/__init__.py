"""Labels of other tools to COCO files and back, a module for each format.

`importing` and `exporting` are what others call. A format's module knows that format alone: it gives
`label_records.Labels`, or takes a COCO file that has been looked at.
"""
