"""Publications tried again: what they printed, and ours beside it."""
