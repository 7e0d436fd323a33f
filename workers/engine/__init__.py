"""Train several trials in one process, each as if it were alone: one engine for a GPU. Torch, and nothing of Ray."""
