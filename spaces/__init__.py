"""Describe what can be built: domains, architectures, networks and their cost. Speaks torch, nothing else."""
