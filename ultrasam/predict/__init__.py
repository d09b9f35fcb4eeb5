"""What stands behind the predictor: sources of images and prompts, embeddings, masks, measures, files."""
