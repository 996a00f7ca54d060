"""Keras's regularizers: ours have its formulas and defaults."""

from minidl import regularizers
from minidl.keras.face import missing

__all__ = ["L1", "L1L2", "L2", "Regularizer", "l1", "l1_l2", "l2"]

Regularizer = regularizers.Regularizer
L1 = l1 = regularizers.L1
L2 = l2 = regularizers.L2
L1L2 = l1_l2 = regularizers.L1L2
__getattr__ = missing("keras.regularizers", __all__)
