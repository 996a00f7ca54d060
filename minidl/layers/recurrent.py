"""Recurrent layers: one step after the other along a sequence, with the same weights at each.

Input shape (steps, features); output shape (units,), the last step's, or (steps, units) with `return_sequences`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl import initializers
from minidl.compute.memory_cells import walk, walk_back
from minidl.layers.activations import Elementwise, Sigmoid, Tanh, resolve_activation
from minidl.layers.base import Layer, Shape, optional_regularizer, registry
from minidl.parameters import Parameter
from minidl.validation import describe

__all__ = ["GRU", "LSTM", "Bidirectional", "SimpleRNN"]

Array = NDArray[Any]


class _Recurrent(Layer):
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

    ranges = {"units": "int [1, inf)", "use_bias": "bool", "return_sequences": "bool", "go_backwards": "bool"}

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
        self.activation = _elementwise(self._owner, activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.registry.get(kernel_initializer)
        self.recurrent_initializer = initializers.registry.get(recurrent_initializer)
        self.bias_initializer = initializers.registry.get(bias_initializer)
        self.kernel_regularizer = optional_regularizer(kernel_regularizer)
        self.recurrent_regularizer = optional_regularizer(recurrent_regularizer)
        self.bias_regularizer = optional_regularizer(bias_regularizer)
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
        # Other activations' slopes may ask for what went in: then each step has a place of its own.
        places = 1 if all(type(activation) in _KNOWN for activation in self.activations) else steps
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
        slopes, d_parts = _matrix(dz), self.split(dz)
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
        gradient = np.matmul(_matrix(rows[:-1]).T, slopes, out=self.scratch("gradient", joint.shape))
        self.write_gradients(gradient, slopes, kept, accumulate)
        if not input_gradient:
            return dy
        features = self._shape()[1]
        by_step = self.room("dx by step", (steps, batch, features), rows.dtype)
        np.matmul(slopes, joint[:features].T, out=_matrix(by_step))
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
                _write(target, gradient[rows, part * u : (part + 1) * u], accumulate)

    def room(self, name: str, shape: Shape, dtype: DTypeLike) -> Array:
        """Return `scratch` of that shape, in which a shorter batch takes the memory of a longer one."""
        return self.scratch(name, (math.prod(shape[:-1]), shape[-1]), dtype).reshape(shape)

    def split(self, z: Array) -> Array:
        """Return of each step the parts of `z`, one after the other."""
        return np.swapaxes(z.reshape(*z.shape[:-1], self.parts, self.units), 1, 2)


def _elementwise(owner: str, identifier: object) -> Elementwise:
    activation = resolve_activation(identifier)
    if not isinstance(activation, Elementwise):
        raise TypeError(
            f"{owner}: activation must act on each entry by itself, without weights. Received: {describe(identifier)}"
        )
    return activation


# Of these the slope is computed from the output alone, and nothing needs new memory.
_KNOWN = (Sigmoid, Tanh)


def _activate(activation: Elementwise, x: Array, out: Array) -> None:
    """Write f(x) to `out`."""
    if type(activation) is Tanh:
        np.tanh(x, out=out)
    elif type(activation) is Sigmoid:  # (1 + tanh(x / 2)) / 2
        np.multiply(x, 0.5, out=out)
        np.tanh(out, out=out)
        np.multiply(out, 0.5, out=out)
        np.add(out, 0.5, out=out)
    else:
        out[...] = activation.function(x)


def _times_slope(activation: Elementwise, dy: Array, x: Array, y: Array, out: Array, room: Array) -> None:
    """Write dy ⊙ f'(x) to `out`, given y = f(x); `room` is written to."""
    if type(activation) is Tanh:
        np.square(y, out=room)
        np.subtract(1, room, out=room)
    elif type(activation) is Sigmoid:
        np.subtract(1, y, out=room)
        np.multiply(room, y, out=room)
    else:
        room = activation.slope(x, y)
    np.multiply(dy, room, out=out)


def _write(target: Array, gradient: Array, accumulate: bool) -> None:
    """Set `target`, or add to it if `accumulate`."""
    if accumulate:
        np.add(target, gradient, out=target)
    else:
        np.copyto(target, gradient)


def _matrix(array: Array) -> Array:
    """Return all steps and samples as rows."""
    return array.reshape(-1, array.shape[-1])


@registry.register("simple_rnn")
class SimpleRNN(_Recurrent):
    """h_t = f(x_t W + h_{t−1} U + b), from h_0 = 0, with f = tanh.

    Input shape (steps, features); output shape (units,), that of the last step, or (steps, units). `kernel` W has shape
    (features, units), `recurrent_kernel` U (units, units), `bias` b (units,).

    Args:
        units: The size of the state, at least 1.
        activation: Of the state: a name or a layer, one that acts on each entry by itself, without weights.
        use_bias: Whether there is a b.
        kernel_initializer: A name or an initializer; Keras's default, as are the others.
        recurrent_initializer: Alike, for U.
        bias_initializer: Alike, for b.
        kernel_regularizer: None, a name, or a regularizer.
        recurrent_regularizer: Alike, for U.
        bias_regularizer: Alike, for b.
        return_sequences: Whether the states of all steps are returned, not the last one alone.
        go_backwards: Whether the sequence is gone through from its end; the outputs are then in that order too.
        name: See `Layer`.

    Raises:
        TypeError, ValueError: If an argument isn't as told above.

    >>> layer = SimpleRNN(3, return_sequences=True)
    >>> layer.build((5, 2), np.random.default_rng(0))
    >>> layer.forward(np.ones((4, 5, 2), np.float32)).shape
    (4, 5, 3)
    """

    def __init__(
        self,
        units: int,
        activation: str | Layer = "tanh",
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        recurrent_initializer: object = "orthogonal",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        recurrent_regularizer: object = None,
        bias_regularizer: object = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            return_sequences,
            go_backwards,
            name=name,
        )

    def memory(self, steps: int, batch: int, dtype: DTypeLike) -> Any:
        return self.room("room", (batch, self.units), dtype)

    def step(self, t: int, z: Array, before: Array, after: Array, kept: Any) -> None:
        _activate(self.activation, z[0], after)

    def step_back(
        self, t: int, dh: Array, carry: Array, z: Array, dz: Array, before: Array, after: Array, kept: Any
    ) -> None:
        _times_slope(self.activation, dh, z[0], after, dz[0], kept)


@registry.register("lstm")
class LSTM(_Recurrent):
    """Long short-term memory: c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ tanh(c_t), from h_0 = c_0 = 0.

    i, f, o = σ(x_t W + h_{t−1} U + b) and g = tanh(...) are the four parts, in the order i, f, g, o, of one product.
    `kernel` W has shape (features, 4 units), `recurrent_kernel` U (units, 4 units), `bias` b (4 units,).

    The arguments are those of `SimpleRNN`, and:

    Args:
        units: See `SimpleRNN`, as for all that isn't told here.
        activation: Of the state and of the candidate g.
        recurrent_activation: Of the gates i, f and o.
        unit_forget_bias: Whether the bias of the gate f starts at 1, so that the layer remembers at first.

    Source: Hochreiter, Schmidhuber, Long short-term memory, 1997; Gers, Schmidhuber, Cummins, Learning to forget, 2000.
    Differs from: PyTorch orders the parts alike, and has two biases, which add up.
    """

    gates = parts = 4
    input_parts = state_parts = (0, 1, 3, 2)  # i, f, o, g: what has one activation is one piece of memory
    ranges = {"unit_forget_bias": "bool"}

    def __init__(
        self,
        units: int,
        activation: str | Layer = "tanh",
        recurrent_activation: str | Layer = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        recurrent_initializer: object = "orthogonal",
        bias_initializer: object = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: object = None,
        recurrent_regularizer: object = None,
        bias_regularizer: object = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            return_sequences,
            go_backwards,
            name=name,
        )
        self.recurrent_activation = _elementwise("LSTM", recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        if self.use_bias and self.unit_forget_bias:
            self.bias.data[self.units : 2 * self.units] = 1

    @property
    def activations(self) -> tuple[Elementwise, ...]:
        return self.activation, self.recurrent_activation

    def memory(self, steps: int, batch: int, dtype: DTypeLike) -> Any:
        u = self.units
        kept = self.room("kept", (steps + 1, 6, batch, u), dtype)  # of each step i, f, o, g, c_{t−1}, tanh(c_t)
        kept[0, 4] = 0
        return kept, self.room("back", (4, batch, u), dtype), self.room("room", (3, batch, u), dtype)

    def step(self, t: int, z: Array, before: Array, after: Array, kept: Any) -> None:
        now, cell, room = kept[0][t], kept[0][t + 1, 4], kept[2]
        _activate(self.recurrent_activation, z[:3], now[:3])
        _activate(self.activation, z[3], now[3])
        np.multiply(now[:2], now[3:5], out=room[:2])  # i ⊙ g and f ⊙ c
        np.add(room[0], room[1], out=cell)
        _activate(self.activation, cell, now[5])
        np.multiply(now[2], now[5], out=after)

    def step_back(
        self, t: int, dh: Array, carry: Array, z: Array, dz: Array, before: Array, after: Array, kept: Any
    ) -> None:
        now, cell, (back, room), dc = kept[0][t], kept[0][t + 1, 4], kept[1:], carry
        i, f, o, _, _, output = now
        np.multiply(dh, o, out=back[0])
        _times_slope(self.activation, back[0], cell, output, back[0], room[0])
        np.add(dc, back[0], out=dc)
        np.multiply(dc, now[3:5], out=back[:2])
        np.multiply(dh, output, out=back[2])
        np.multiply(dc, i, out=back[3])
        _times_slope(self.recurrent_activation, back[:3], z[:3], now[:3], dz[:3], room)
        _times_slope(self.activation, back[3], z[3], now[3], dz[3], room[0])
        np.multiply(dc, f, out=dc)

    def walk_at_once(self, rows: Array, joint: Array, z: Array, kept: Any) -> bool:
        return self._is_usual() and walk(rows, joint, z[0], kept[0])

    def walk_back_at_once(self, dz: Array, turned: Array, dh: Array, carry: Array, dy: Array, kept: Any) -> bool:
        by_step = np.swapaxes(dy, 0, 1) if self.return_sequences else dy[None]
        return self._is_usual() and walk_back(dz, turned, dh, carry, by_step, kept[0])

    def _is_usual(self) -> bool:
        """Tell whether steps may be made of the usual activations, in memory that comes again."""
        return self.reuse.on and type(self.activation) is Tanh and type(self.recurrent_activation) is Sigmoid


@registry.register("gru")
class GRU(_Recurrent):
    """Gated recurrent unit: h_t = z ⊙ h_{t−1} + (1 − z) ⊙ g, from h_0 = 0.

    z, r = σ(x_t W + h_{t−1} U + b). The candidate g is tanh(x_t W_g + b_g + r ⊙ (h_{t−1} U_g + b_g')) with
    `reset_after` and tanh(x_t W_g + b_g + (r ⊙ h_{t−1}) U_g) without. The parts come in the order z, r, g. `kernel` has
    shape (features, 3 units), `recurrent_kernel` U (units, 3 units), `bias` (2, 3 units), for x and for h; without
    `reset_after` it is (3 units,).

    The arguments are those of `SimpleRNN`, and:

    Args:
        units: See `SimpleRNN`, as for all that isn't told here.
        activation: Of the candidate g.
        recurrent_activation: Of the gates z and r.
        reset_after: Whether r comes after the product with U, as in cuDNN and PyTorch; before it, as in the paper.

    Source: Cho and others, Learning phrase representations using RNN encoder-decoder, 2014.
    Differs from: PyTorch's is that with `reset_after`, and orders the parts r, z, g.
    """

    gates = 3
    input_parts = (0, 1, 2)
    ranges = {"reset_after": "bool"}

    def __init__(
        self,
        units: int,
        activation: str | Layer = "tanh",
        recurrent_activation: str | Layer = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        recurrent_initializer: object = "orthogonal",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        recurrent_regularizer: object = None,
        bias_regularizer: object = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        reset_after: bool = True,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            return_sequences,
            go_backwards,
            name=name,
        )
        self.recurrent_activation = _elementwise("GRU", recurrent_activation)
        self.reset_after = reset_after
        # With it, a part of its own is what U_g makes of the state; without, that isn't in the product.
        self.parts, self.state_parts = (4, (0, 1, 3)) if self.reset_after else (3, (0, 1))

    def bias_shape(self) -> Shape:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    @property
    def activations(self) -> tuple[Elementwise, ...]:
        return self.activation, self.recurrent_activation

    def memory(self, steps: int, batch: int, dtype: DTypeLike) -> Any:
        u = self.units
        inner = self.room("inner", (steps, batch, u), dtype)  # what r multiplies, or multiplied
        kept = self.room("kept", (steps, 3, batch, u), dtype)  # of each step z, r, g
        return kept, inner, self.room("back", (3, batch, u), dtype), self.room("room", (2, batch, u), dtype)

    def step(self, t: int, z: Array, before: Array, after: Array, kept: Any) -> None:
        now, inner, room = kept[0][t], kept[1][t], kept[3][0]
        update, reset, candidate = now
        _activate(self.recurrent_activation, z[:2], now[:2])
        if self.reset_after:
            np.copyto(inner, z[3])
            np.multiply(reset, inner, out=room)
        else:
            np.multiply(reset, before, out=inner)
            np.matmul(inner, self.recurrent_kernel.data[:, 2 * self.units :], out=room)
        np.add(z[2], room, out=z[2])
        _activate(self.activation, z[2], candidate)
        np.subtract(before, candidate, out=after)
        np.multiply(update, after, out=after)
        np.add(candidate, after, out=after)

    def step_back(
        self, t: int, dh: Array, carry: Array, z: Array, dz: Array, before: Array, after: Array, kept: Any
    ) -> None:
        now, inner, back, room = kept[0][t], kept[1][t], kept[2], kept[3]
        update, reset, candidate = now
        np.add(dh, carry, out=dh)
        np.multiply(dh, update, out=carry)
        np.subtract(before, candidate, out=room[0])
        np.multiply(dh, room[0], out=back[0])
        np.subtract(dh, carry, out=back[2])
        _times_slope(self.activation, back[2], z[2], candidate, dz[2], room[0])
        if self.reset_after:
            np.multiply(dz[2], reset, out=dz[3])
            np.multiply(dz[2], inner, out=back[1])
        else:
            by_product = np.matmul(dz[2], self.recurrent_kernel.data[:, 2 * self.units :].T, out=room[0])
            np.multiply(by_product, before, out=back[1])
            np.multiply(by_product, reset, out=by_product)
            np.add(carry, by_product, out=carry)
        _times_slope(self.recurrent_activation, back[:2], z[:2], now[:2], dz[:2], room)

    def write_gradients(self, gradient: Array, slopes: Array, kept: Any, accumulate: bool) -> None:
        super().write_gradients(gradient, slopes, kept, accumulate)
        if not self.reset_after:
            u = self.units
            found = np.matmul(_matrix(kept[1]).T, slopes[:, 2 * u :], out=self.scratch("inner gradient", (u, u)))
            _write(self.recurrent_kernel.grad[:, 2 * u :], found, accumulate)


@registry.register("bidirectional")
class Bidirectional(Layer):
    """A recurrent layer, and another like it that goes through the sequence from its end.

    Output shape: with "concat" twice as many units as the layer has, else as many. Sequences of the second are turned
    round, so that both speak of the same step.

    Args:
        layer: A `SimpleRNN`, `LSTM` or `GRU` that isn't built, of which two are made; it stays as it is.
        merge_mode: "concat" (default), "sum", "mul" or "ave".
        name: See `Layer`.

    Source: Schuster, Paliwal, Bidirectional recurrent neural networks, 1997.
    """

    ranges = {"merge_mode": "'concat' | 'sum' | 'mul' | 'ave'"}

    def __init__(self, layer: Any, merge_mode: str = "concat", *, name: str | None = None) -> None:
        super().__init__(name=name)
        layer = registry.get(layer) if isinstance(layer, dict) else layer
        if not isinstance(layer, _Recurrent) or layer.built:
            raise TypeError(
                f"Bidirectional: layer must be a recurrent layer that isn't built. Received: {describe(layer)}"
            )
        self.layer = layer
        self.merge_mode = merge_mode
        end = f"_{layer.name}" if layer.name else ""
        self.forward_layer, self.backward_layer = copy.deepcopy(layer), copy.deepcopy(layer)
        self.forward_layer.name, self.backward_layer.name = f"forward{end}", f"backward{end}"
        self.backward_layer.go_backwards = not layer.go_backwards

    @property
    def children(self) -> tuple[Layer, ...]:
        """The two layers."""
        return (self.forward_layer, self.backward_layer)

    @property
    def output_shape(self) -> Shape:
        """That of the layer, with twice the units for "concat"."""
        *steps, units = self.forward_layer.output_shape
        return (*steps, 2 * units if self.merge_mode == "concat" else units)

    def check_shape(self, shape: Shape) -> None:
        self.forward_layer.check_shape(shape)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        for layer in self.children:
            layer.dtype = self.dtype
            layer.build(self._shape(), rng)

    def forward(self, x: Array, training: bool = False) -> Array:
        one, other = self.forward_layer.forward(x, training), self._turned(self.backward_layer.forward(x, training))
        self.remember(one=one, other=other)
        y = self.scratch("y", (len(x), *self.output_shape), one.dtype)
        if self.merge_mode == "concat":
            return np.concatenate([one, other], axis=-1, out=y)
        if self.merge_mode == "mul":
            return np.multiply(one, other, out=y)
        np.add(one, other, out=y)
        return np.divide(y, 2, out=y) if self.merge_mode == "ave" else y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return self.backward_part(dy, accumulate)

    def backward_part(
        self, dy: Array, accumulate: bool = False, *, from_logits: bool = False, input_gradient: bool = True
    ) -> Array:
        one, other = self.remembered("one"), self.remembered("other")
        if self.merge_mode == "concat":
            first, second = dy[..., : one.shape[-1]], dy[..., one.shape[-1] :]
        elif self.merge_mode == "mul":
            first = np.multiply(dy, other, out=self.scratch("first", dy.shape, dy.dtype))
            second = np.multiply(dy, one, out=self.scratch("second", dy.shape, dy.dtype))
        elif self.merge_mode == "ave":
            first = second = np.divide(dy, 2, out=self.scratch("first", dy.shape, dy.dtype))
        else:
            first = second = dy
        dx = self.forward_layer.backward_part(first, accumulate, input_gradient=input_gradient)
        other_dx = self.backward_layer.backward_part(self._turned(second), accumulate, input_gradient=input_gradient)
        if not input_gradient:
            return dy
        return np.add(dx, other_dx, out=self.scratch("dx", dx.shape, dx.dtype))

    def _turned(self, y: Array) -> Array:
        return y[:, ::-1] if self.layer.return_sequences else y
