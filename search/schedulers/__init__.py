"""Who goes on at a rung."""
