"""What to try next, and what is known of it before it is trained."""
