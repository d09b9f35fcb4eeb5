"""One small file for each data set: only what is peculiar to it."""
