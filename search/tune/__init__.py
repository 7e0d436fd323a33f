"""Ray Tune, driven over a running study. All of Ray but its job server is here."""
