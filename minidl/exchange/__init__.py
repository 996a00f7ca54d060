"""Models for others, and from them: ONNX graphs; weights of PyTorch's modules."""

from minidl.exchange.onnx import to_onnx
from minidl.exchange.torch import from_torch, load_torch, save_torch, to_torch

__all__ = ["from_torch", "load_torch", "save_torch", "to_onnx", "to_torch"]
