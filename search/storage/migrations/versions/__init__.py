"""The steps. A step is never edited once released: the tables it makes are written out, not imported."""
