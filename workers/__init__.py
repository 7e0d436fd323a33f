"""Train and measure one network. Speaks torch, and Ray in `workers.trainable` alone."""
