"""A study as it is now, on a page that changes with it: reads SQL, and writes nothing."""
