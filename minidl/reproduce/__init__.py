"""Publications tried again: what they printed, and ours beside it."""

__all__: list[str] = []
