"""The main job from start to end: data, training, test, baselines, pictures, one page."""
