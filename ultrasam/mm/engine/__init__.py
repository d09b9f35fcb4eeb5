"""Running a configuration: training, testing, hooks and optimizers."""
