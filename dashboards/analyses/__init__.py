"""Draw what analyses of a study have found: each kind is `info(analysis) -> data` and `figure(data) -> Figure`."""
