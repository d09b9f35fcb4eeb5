"""A widget of napari: points and boxes to labels, and labels through the frames of a clip."""
