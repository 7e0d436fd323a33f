"""Train and measure one network. Speaks torch, and Ray in `trainable`, `remote` and `serving` alone."""

from spaces.early import heed_early

heed_early()
