"""The same training script for each framework, as its users write it; `whole_runs.py` times them."""
