"""What disagrees between tables and checkpoints, and its repair."""
