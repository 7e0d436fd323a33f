"""Mathematics on arrays: non-domination, expected gain, the surrogate, learning curves. Nothing of a study."""
