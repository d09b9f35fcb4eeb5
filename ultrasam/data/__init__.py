"""COCO files, images and the columns made of them; who trains and who tests; simulated and worse images."""
