"""Pictures of what training recorded and models learned. matplotlib is loaded on first use; no display is needed."""

from minidl.plotting.activations import plot_activations
from minidl.plotting.classifiers import plot_confusion_matrix, plot_decision_boundary
from minidl.plotting.curves import plot_curves, plot_lr_find, plot_moving_averages, plot_norms, plot_schedules
from minidl.plotting.paths import animate_trajectories, plot_trajectories

__all__ = [
    "animate_trajectories",
    "plot_activations",
    "plot_confusion_matrix",
    "plot_curves",
    "plot_decision_boundary",
    "plot_lr_find",
    "plot_moving_averages",
    "plot_norms",
    "plot_schedules",
    "plot_trajectories",
]
