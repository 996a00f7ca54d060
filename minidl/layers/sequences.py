"""What recurrent layers share: they go along a sequence, one step after the other, with the same weights at each.

Input shape (steps, features); output shape (units,), the last step's, or (steps, units) with `return_sequences`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.layers.activations import Elementwise
from minidl.layers.base import Layer, Shape
from minidl.parameters import Parameter

__all__ = ["Recurrent", "matrix", "write"]

Array = NDArray[Any]


class Recurrent(Layer):
    """The base: it keeps the weights and walks the sequence; a subclass gives a step and its way back.

    Arrays inside have the steps first, so that each step is one piece of memory. A step starts with one product,
    [x_t, 1, h_{t−1}] times the joint matrix of all weights, whose columns are parts of as many as the units: the gates
    and what else is summed. So all gradients come from one product over all steps and samples.
    """

    #: How many times the units the kernels are wide.
    gates: ClassVar[int] = 1
    #: How many parts a step's product has.
    parts: int = 1
    #: To which part each gate of the kernel adds, and each of the recurrent kernel.
    input_parts: tuple[int, ...] = (0,)
    state_parts: tuple[int, ...] = (0,)

    ranges = {
        "units": "int [1, inf)",
        "activation": "elementwise activation",
        "use_bias": "bool",
        "kernel_initializer": "initializer",
        "recurrent_initializer": "initializer",
        "bias_initializer": "initializer",
        "kernel_regularizer": "regularizer | None",
        "recurrent_regularizer": "regularizer | None",
        "bias_regularizer": "regularizer | None",
        "return_sequences": "bool",
        "go_backwards": "bool",
    }

    def __init__(
        self,
        units: int,
        activation: object,
        use_bias: bool,
        kernel_initializer: object,
        recurrent_initializer: object,
        bias_initializer: object,
        kernel_regularizer: object,
        recurrent_regularizer: object,
        bias_regularizer: object,
        return_sequences: bool,
        go_backwards: bool,
        *,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        self.units = units
        self.activation: Any = activation
        self.use_bias = use_bias
        self.kernel_initializer: Any = kernel_initializer
        self.recurrent_initializer: Any = recurrent_initializer
        self.bias_initializer: Any = bias_initializer
        self.kernel_regularizer: Any = kernel_regularizer
        self.recurrent_regularizer: Any = recurrent_regularizer
        self.bias_regularizer: Any = bias_regularizer
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards

    @property
    def output_shape(self) -> Shape:
        """(units,), or (steps, units)."""
        steps = self._shape()[0]
        return (steps, self.units) if self.return_sequences else (self.units,)

    def check_shape(self, shape: Shape) -> None:
        self.check_axes(shape, "steps", "features")

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        wide = self.gates * self.units
        features = self._shape()[1]
        self.kernel = self.add_parameter(
            "kernel", (features, wide), self.kernel_initializer, rng, self.kernel_regularizer
        )
        self.recurrent_kernel = self.add_parameter(
            "recurrent_kernel", (self.units, wide), self.recurrent_initializer, rng, self.recurrent_regularizer
        )
        if self.use_bias:
            shape = self.bias_shape()
            self.bias = self.add_parameter("bias", shape, self.bias_initializer, rng, self.bias_regularizer)

    def bias_shape(self) -> Shape:
        """Return the shape of the bias."""
        return (self.gates * self.units,)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        batch, steps = x.shape[:2]
        joint = self.joint()
        rows = self.rows(x, len(joint))
        states = rows[:, :, -self.units :]
        # Where a slope asks for what went in, each step has a place of its own.
        places = 1 if all(activation.slope_by_output for activation in self.activations) else steps
        z = self.room("z", (places, batch, joint.shape[1]), x.dtype)
        products, parts = (list(array) * (steps // places) for array in (z, self.split(z)))
        kept = self.memory(steps, batch, x.dtype)
        if not self.walk_at_once(rows, joint, z, kept):
            for t in range(steps):
                np.matmul(rows[t], joint, out=products[t])
                self.step(t, parts[t], states[t], states[t + 1], kept)
        self.remember(joint=joint, rows=rows, parts=parts, kept=kept)
        y = self.scratch("y", (batch, *self.output_shape), x.dtype)
        np.copyto(y, np.swapaxes(states[1:], 0, 1) if self.return_sequences else states[-1])
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return self.backward_part(dy, accumulate)

    def backward_part(
        self, dy: Array, accumulate: bool = False, *, from_logits: bool = False, input_gradient: bool = True
    ) -> Array:
        joint, rows, parts, kept = (self.remembered(what) for what in ("joint", "rows", "parts", "kept"))
        steps, batch, u = len(parts), rows.shape[1], self.units
        states = rows[:, :, -u:]
        turned = self.scratch("turned", (joint.shape[1], u))
        np.copyto(turned, joint[-u:].T)  # BLAS is faster so
        dz = self.room("dz", (steps, batch, joint.shape[1]), rows.dtype)
        slopes, d_parts = matrix(dz), self.split(dz)
        dh, carry = self.room("dh", (batch, u), rows.dtype), self.room("carry", (batch, u), rows.dtype)
        dh[...] = carry[...] = 0
        if not self.walk_back_at_once(dz, turned, dh, carry, dy, kept):
            for t in range(steps - 1, -1, -1):
                if t == steps - 1:
                    np.copyto(dh, dy[:, t] if self.return_sequences else dy)
                elif self.return_sequences:
                    np.add(dh, dy[:, t], out=dh)
                self.step_back(t, dh, carry, parts[t], d_parts[t], states[t], states[t + 1], kept)
                if t:
                    np.matmul(dz[t], turned, out=dh)
        gradient = np.matmul(matrix(rows[:-1]).T, slopes, out=self.scratch("gradient", joint.shape))
        self.write_gradients(gradient, slopes, kept, accumulate)
        if not input_gradient:
            return dy
        features = self._shape()[1]
        by_step = self.room("dx by step", (steps, batch, features), rows.dtype)
        np.matmul(slopes, joint[:features].T, out=matrix(by_step))
        dx = self.scratch("dx", (batch, steps, features), rows.dtype)
        np.copyto(dx, np.swapaxes(by_step[:: -1 if self.go_backwards else 1], 0, 1))
        return dx

    def walk_at_once(self, rows: Array, joint: Array, z: Array, kept: Any) -> bool:
        """Do all steps by code made for that, and tell whether there is such."""
        return False

    def walk_back_at_once(
        self,
        dz: Array,
        turned: Array,
        dh: Array,
        carry: Array,
        dy: Array,
        kept: Any,
    ) -> bool:
        """Do all steps back, alike."""
        return False

    # What a subclass gives -----------------------------------------------------------------------------

    def memory(self, steps: int, batch: int, dtype: DTypeLike) -> Any:
        """Return the arrays that `step` and `step_back` share: what is kept of the steps, and room to compute in."""
        raise NotImplementedError

    def step(self, t: int, z: Array, before: Array, after: Array, kept: Any) -> None:
        """Write the state `after` step t, given the parts `z` of its product and the state `before`."""
        raise NotImplementedError

    def step_back(
        self, t: int, dh: Array, carry: Array, z: Array, dz: Array, before: Array, after: Array, kept: Any
    ) -> None:
        """Write to `dz` the gradient by the parts `z`, given `dh`, that by the state `after`, which may be overwritten.

        `carry` is the step's to keep something for the one before it; it comes from the one behind it, at first zeros.
        """
        raise NotImplementedError

    @property
    def activations(self) -> tuple[Elementwise, ...]:
        """Those of the parts."""
        return (self.activation,)

    # Products ------------------------------------------------------------------------------------------

    def blocks(self) -> Iterator[tuple[slice | int, Parameter, Any, tuple[int, ...]]]:
        """Yield rows of the joint matrix, the parameter that lies there, its own rows, and the part of each gate."""
        features = self._shape()[1]
        yield slice(0, features), self.kernel, slice(None), self.input_parts
        if self.use_bias and self.bias.data.ndim == 2:
            yield features, self.bias, 0, self.input_parts
            yield features + 1, self.bias, 1, self.state_parts
        elif self.use_bias:
            yield features, self.bias, slice(None), self.input_parts
        yield slice(-self.units, None), self.recurrent_kernel, slice(None), self.state_parts

    def joint(self) -> Array:
        """Return the matrix of all weights."""
        u, biases = self.units, self.bias.data.size // (self.gates * self.units) if self.use_bias else 0
        joint = self.scratch("joint", (self._shape()[1] + biases + u, self.parts * u))
        if self.input_parts != self.state_parts:  # some parts are of the input or of the state alone
            joint[...] = 0
        for rows, parameter, own, parts in self.blocks():
            for gate, part in enumerate(parts):
                joint[rows, part * u : (part + 1) * u] = parameter.data[own][..., gate * u : (gate + 1) * u]
        return joint

    def rows(self, x: Array, width: int) -> Array:
        """Return [x_t, 1, h_{t−1}] of all steps, with the first state, zeros, and the others to be filled in."""
        batch, steps, features = x.shape
        rows = self.room("rows", (steps + 1, batch, width), x.dtype)
        rows[:-1, :, :features] = np.swapaxes(x, 0, 1)[:: -1 if self.go_backwards else 1]
        rows[:-1, :, features : -self.units] = 1
        rows[0, :, -self.units :] = 0
        return rows

    def write_gradients(self, gradient: Array, slopes: Array, kept: Any, accumulate: bool) -> None:
        """Write the parameters' gradients, or add to them, given that by the joint matrix and those by all `z`."""
        u = self.units
        for rows, parameter, own, parts in self.blocks():
            for gate, part in enumerate(parts):
                target = parameter.grad[own][..., gate * u : (gate + 1) * u]
                write(target, gradient[rows, part * u : (part + 1) * u], accumulate)

    def room(self, name: str, shape: Shape, dtype: DTypeLike) -> Array:
        """Return `scratch` of that shape, in which a shorter batch takes the memory of a longer one."""
        return self.scratch(name, (math.prod(shape[:-1]), shape[-1]), dtype).reshape(shape)

    def split(self, z: Array) -> Array:
        """Return of each step the parts of `z`, one after the other."""
        return np.swapaxes(z.reshape(*z.shape[:-1], self.parts, self.units), 1, 2)


def write(target: Array, gradient: Array, accumulate: bool) -> None:
    """Set `target`, or add to it if `accumulate`."""
    if accumulate:
        np.add(target, gradient, out=target)
    else:
        np.copyto(target, gradient)


def matrix(array: Array) -> Array:
    """Return all steps and samples as rows."""
    return array.reshape(-1, array.shape[-1])
