"""What happens between a launch and its end: preview, wiring, display, summary."""
