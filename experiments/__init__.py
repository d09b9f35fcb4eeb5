"""Experiments of the documents, one file each; they run from the source tree alone."""
