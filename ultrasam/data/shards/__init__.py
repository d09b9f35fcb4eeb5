"""Images and masks in few large files: written from COCO files, read from folders and object storage.

A folder of shards holds ``index.json``, ``samples.bin`` and ``shard-000000.tar``, ... Each tar file is one of
WebDataset's: of a sample it has ``<key>.json`` with the image's entry and its annotations, and the pixels.
``samples.bin`` says where each sample lies, so that any one is read by itself.
"""
