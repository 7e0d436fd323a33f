"""Describe what can be built: domains, architectures, networks and their cost. Speaks torch, nothing else."""

from spaces.early import heed_early

heed_early()
