"""The file a person writes, read or refused in one line."""

from search.config.study import StudyConfig, load, parse

__all__ = ["StudyConfig", "load", "parse"]
