"""Decide what to try and remember what came of it. Speaks Optuna, Ray, SQLAlchemy and YAML, each in its own file."""

from spaces.early import heed_early

heed_early()
