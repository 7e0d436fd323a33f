"""Bring the tables of an older version up to date, one numbered step after another."""
