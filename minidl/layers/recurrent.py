"""Recurrent layers: one step after the other along a sequence, with the same weights at each.

Input shape (steps, features); output shape (units,), the last step's, or (steps, units) with `return_sequences`.
"""

import copy
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from minidl import initializers
from minidl.layers.activations import Elementwise, resolve_activation
from minidl.layers.base import Layer, Shape, optional_regularizer, registry
from minidl.validation import choice, describe, flag, integer

__all__ = ["GRU", "LSTM", "Bidirectional", "SimpleRNN"]

Array = NDArray[Any]


class _Recurrent(Layer):
    """The base: it keeps the weights and walks the sequence; a subclass gives a step and its way back.

    Arrays inside have the steps first, so that each step is one piece of memory.
    """

    #: How many times the units the kernels are wide.
    gates: ClassVar[int] = 1

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
        owner = type(self).__name__
        self.units = integer(owner, "units", units, 1)
        self.activation = _elementwise(owner, activation)
        self.use_bias = flag(owner, "use_bias", use_bias)
        self.kernel_initializer = initializers.registry.get(kernel_initializer)
        self.recurrent_initializer = initializers.registry.get(recurrent_initializer)
        self.bias_initializer = initializers.registry.get(bias_initializer)
        self.kernel_regularizer = optional_regularizer(kernel_regularizer)
        self.recurrent_regularizer = optional_regularizer(recurrent_regularizer)
        self.bias_regularizer = optional_regularizer(bias_regularizer)
        self.return_sequences = flag(owner, "return_sequences", return_sequences)
        self.go_backwards = flag(owner, "go_backwards", go_backwards)

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

    def input_bias(self) -> Array | float:
        """Return what is added to the input's part of every step."""
        return self.bias.data if self.use_bias else 0.0

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        steps = np.ascontiguousarray(np.swapaxes(x, 0, 1)[:: -1 if self.go_backwards else 1])
        inputs = steps @ self.kernel.data + self.input_bias()
        states = np.zeros((len(steps) + 1, len(x), self.units), x.dtype)
        kept = self.walk(inputs, states)
        self.remember(steps=steps, states=states, kept=kept)
        return np.swapaxes(states[1:], 0, 1).copy() if self.return_sequences else states[-1].copy()

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        steps, states, kept = (self.remembered(what) for what in ("steps", "states", "kept"))
        slopes = np.zeros((len(steps), *states.shape[1:]), dy.dtype)
        if self.return_sequences:
            slopes[:] = np.swapaxes(dy, 0, 1)
        else:
            slopes[-1] = dy
        d_inputs, d_recurrent, d_bias = self.walk_back(slopes, states, kept)
        self.write_gradient(self.kernel, _matrix(steps).T @ _matrix(d_inputs), accumulate)
        self.write_gradient(self.recurrent_kernel, d_recurrent, accumulate)
        if self.use_bias:
            self.write_gradient(self.bias, d_bias, accumulate)
        dx = d_inputs @ self.kernel.data.T
        return np.swapaxes(dx[:: -1 if self.go_backwards else 1], 0, 1)

    def walk(self, inputs: Array, states: Array) -> Any:
        """Fill in `states[1:]` from `inputs`, the input's part of each step; return what `walk_back` needs."""
        raise NotImplementedError

    def walk_back(self, slopes: Array, states: Array, kept: Any) -> tuple[Array, Array, Array]:
        """Return the gradients by `inputs`, by the recurrent kernel and by the bias, given those by the states."""
        raise NotImplementedError


def _elementwise(owner: str, identifier: object) -> Elementwise:
    activation = resolve_activation(identifier)
    if not isinstance(activation, Elementwise):
        raise TypeError(
            f"{owner}: activation must act on each entry by itself, without weights. Received: {describe(identifier)}"
        )
    return activation


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

    def walk(self, inputs: Array, states: Array) -> Any:
        recurrent = self.recurrent_kernel.data
        for t, z in enumerate(inputs):
            z += states[t] @ recurrent
            states[t + 1] = self.activation.function(z)
        return inputs

    def walk_back(self, slopes: Array, states: Array, kept: Any) -> tuple[Array, Array, Array]:
        recurrent = self.recurrent_kernel.data
        dz = np.empty_like(kept)
        dh = np.zeros_like(slopes[0])
        for t in range(len(kept) - 1, -1, -1):
            dz[t] = (dh + slopes[t]) * self.activation.slope(kept[t], states[t + 1])
            dh = dz[t] @ recurrent.T
        return dz, _matrix(states[:-1]).T @ _matrix(dz), dz.sum(axis=(0, 1))


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

    gates = 4

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
        self.unit_forget_bias = flag("LSTM", "unit_forget_bias", unit_forget_bias)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        if self.use_bias and self.unit_forget_bias:
            self.bias.data[self.units : 2 * self.units] = 1

    def walk(self, inputs: Array, states: Array) -> Any:
        recurrent, u = self.recurrent_kernel.data, self.units
        parts = np.empty_like(inputs)  # i, f, g, o after their activations
        cells = np.zeros_like(states)
        outputs = np.empty_like(states[1:])  # the activated cells
        for t, z in enumerate(inputs):
            z += states[t] @ recurrent
            part = parts[t]
            part[:, : 2 * u] = self.recurrent_activation.function(z[:, : 2 * u])
            part[:, 2 * u : 3 * u] = self.activation.function(z[:, 2 * u : 3 * u])
            part[:, 3 * u :] = self.recurrent_activation.function(z[:, 3 * u :])
            i, f, g, o = np.split(part, 4, axis=1)
            cells[t + 1] = f * cells[t] + i * g
            outputs[t] = self.activation.function(cells[t + 1])
            states[t + 1] = o * outputs[t]
        return inputs, parts, cells, outputs

    def walk_back(self, slopes: Array, states: Array, kept: Any) -> tuple[Array, Array, Array]:
        inputs, parts, cells, outputs = kept
        recurrent, u = self.recurrent_kernel.data, self.units
        dz = np.empty_like(inputs)
        dh, dc = np.zeros_like(slopes[0]), np.zeros_like(slopes[0])
        for t in range(len(inputs) - 1, -1, -1):
            i, f, g, o = np.split(parts[t], 4, axis=1)
            dh = dh + slopes[t]
            dc = dc + dh * o * self.activation.slope(cells[t + 1], outputs[t])
            back = dz[t]
            back[:, :u], back[:, u : 2 * u], back[:, 2 * u : 3 * u], back[:, 3 * u :] = (
                dc * g,
                dc * cells[t],
                dc * i,
                dh * outputs[t],
            )
            for part, activation in (
                (slice(0, 2 * u), self.recurrent_activation),
                (slice(2 * u, 3 * u), self.activation),
                (slice(3 * u, 4 * u), self.recurrent_activation),
            ):
                back[:, part] *= activation.slope(inputs[t][:, part], parts[t][:, part])
            dc = dc * f
            dh = back @ recurrent.T
        return dz, _matrix(states[:-1]).T @ _matrix(dz), dz.sum(axis=(0, 1))


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
        self.reset_after = flag("GRU", "reset_after", reset_after)

    def bias_shape(self) -> Shape:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_bias(self) -> Array | float:
        if not self.use_bias:
            return 0.0
        return self.bias.data[0] if self.reset_after else self.bias.data

    def walk(self, inputs: Array, states: Array) -> Any:
        u = self.units
        gate_kernel, kernel = self.recurrent_kernel.data[:, : 2 * u], self.recurrent_kernel.data[:, 2 * u :]
        bias = self.bias.data[1] if self.use_bias and self.reset_after else np.zeros(3 * u, inputs.dtype)
        parts = np.empty_like(inputs)  # z, r, g after their activations
        inner = np.empty_like(states[1:])  # what r multiplies, or multiplied
        for t, a in enumerate(inputs):
            h = states[t]
            a[:, : 2 * u] += h @ gate_kernel + bias[: 2 * u]
            parts[t][:, : 2 * u] = self.recurrent_activation.function(a[:, : 2 * u])
            z, r = parts[t][:, :u], parts[t][:, u : 2 * u]
            if self.reset_after:
                inner[t] = h @ kernel + bias[2 * u :]
                a[:, 2 * u :] += r * inner[t]
            else:
                inner[t] = r * h
                a[:, 2 * u :] += inner[t] @ kernel
            parts[t][:, 2 * u :] = self.activation.function(a[:, 2 * u :])
            states[t + 1] = z * h + (1 - z) * parts[t][:, 2 * u :]
        return inputs, parts, inner

    def walk_back(self, slopes: Array, states: Array, kept: Any) -> tuple[Array, Array, Array]:
        inputs, parts, inner = kept
        u = self.units
        gate_kernel, kernel = self.recurrent_kernel.data[:, : 2 * u], self.recurrent_kernel.data[:, 2 * u :]
        da = np.empty_like(inputs)
        d_inner = np.empty_like(inner)  # by what U makes of the state for the candidate, with reset_after
        dh = np.zeros_like(slopes[0])
        for t in range(len(inputs) - 1, -1, -1):
            h, back = states[t], da[t]
            z, r, g = np.split(parts[t], 3, axis=1)
            dh = dh + slopes[t]
            back[:, 2 * u :] = dh * (1 - z) * self.activation.slope(inputs[t][:, 2 * u :], g)
            if self.reset_after:
                d_inner[t] = back[:, 2 * u :] * r
                d_reset = back[:, 2 * u :] * inner[t]
                d_state = d_inner[t] @ kernel.T
            else:
                by_product = back[:, 2 * u :] @ kernel.T
                d_reset = by_product * h
                d_state = by_product * r
            back[:, :u], back[:, u : 2 * u] = dh * (h - g), d_reset
            back[:, : 2 * u] *= self.recurrent_activation.slope(inputs[t][:, : 2 * u], parts[t][:, : 2 * u])
            dh = dh * z + d_state + back[:, : 2 * u] @ gate_kernel.T
        before, rows = _matrix(states[:-1]), _matrix(da)
        by_bias = rows.sum(axis=0)
        if self.reset_after:
            recurrent = np.concatenate([rows[:, : 2 * u], _matrix(d_inner)], axis=1)
            return da, before.T @ recurrent, np.stack([by_bias, recurrent.sum(axis=0)])
        candidate = _matrix(inner).T @ rows[:, 2 * u :]
        return da, np.concatenate([before.T @ rows[:, : 2 * u], candidate], axis=1), by_bias


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

    def __init__(self, layer: Any, merge_mode: str = "concat", *, name: str | None = None) -> None:
        super().__init__(name=name)
        layer = registry.get(layer) if isinstance(layer, dict) else layer
        if not isinstance(layer, _Recurrent) or layer.built:
            raise TypeError(
                f"Bidirectional: layer must be a recurrent layer that isn't built. Received: {describe(layer)}"
            )
        self.layer = layer
        self.merge_mode = choice("Bidirectional", "merge_mode", merge_mode, ("concat", "sum", "mul", "ave"))
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
        if self.merge_mode == "concat":
            return np.concatenate([one, other], axis=-1)
        if self.merge_mode == "mul":
            return one * other
        return (one + other) / (2 if self.merge_mode == "ave" else 1)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        one, other = self.remembered("one"), self.remembered("other")
        if self.merge_mode == "concat":
            first, second = dy[..., : one.shape[-1]], dy[..., one.shape[-1] :]
        elif self.merge_mode == "mul":
            first, second = dy * other, dy * one
        else:
            first = second = dy / (2 if self.merge_mode == "ave" else 1)
        return self.forward_layer.backward(first, accumulate) + self.backward_layer.backward(
            self._turned(second), accumulate
        )

    def _turned(self, y: Array) -> Array:
        return y[:, ::-1] if self.layer.return_sequences else y
