"""Recurrent layers: SimpleRNN, LSTM and GRU, each a step and its way back, and two of a kind in both directions."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.compute.memory_cells import walk, walk_back
from minidl.layers.activations import Elementwise, Sigmoid, Tanh
from minidl.layers.base import Layer, Shape, registry
from minidl.layers.sequences import Recurrent, matrix, write
from minidl.validation import describe

__all__ = ["GRU", "LSTM", "Bidirectional", "SimpleRNN"]

Array = NDArray[Any]


@registry.register("simple_rnn")
class SimpleRNN(Recurrent):
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
        self.activation.write(z[0], after)

    def step_back(
        self, t: int, dh: Array, carry: Array, z: Array, dz: Array, before: Array, after: Array, kept: Any
    ) -> None:
        self.activation.write_slope(dh, z[0], after, dz[0], kept)


@registry.register("lstm")
class LSTM(Recurrent):
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
    ranges = {"recurrent_activation": "elementwise activation", "unit_forget_bias": "bool"}

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
        self.recurrent_activation: Any = recurrent_activation
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
        self.recurrent_activation.write(z[:3], now[:3])
        self.activation.write(z[3], now[3])
        np.multiply(now[:2], now[3:5], out=room[:2])  # i ⊙ g and f ⊙ c
        np.add(room[0], room[1], out=cell)
        self.activation.write(cell, now[5])
        np.multiply(now[2], now[5], out=after)

    def step_back(
        self, t: int, dh: Array, carry: Array, z: Array, dz: Array, before: Array, after: Array, kept: Any
    ) -> None:
        now, cell, (back, room), dc = kept[0][t], kept[0][t + 1, 4], kept[1:], carry
        i, f, o, _, _, output = now
        np.multiply(dh, o, out=back[0])
        self.activation.write_slope(back[0], cell, output, back[0], room[0])
        np.add(dc, back[0], out=dc)
        np.multiply(dc, now[3:5], out=back[:2])
        np.multiply(dh, output, out=back[2])
        np.multiply(dc, i, out=back[3])
        self.recurrent_activation.write_slope(back[:3], z[:3], now[:3], dz[:3], room)
        self.activation.write_slope(back[3], z[3], now[3], dz[3], room[0])
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
class GRU(Recurrent):
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
    ranges = {"recurrent_activation": "elementwise activation", "reset_after": "bool"}

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
        self.recurrent_activation: Any = recurrent_activation
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
        self.recurrent_activation.write(z[:2], now[:2])
        if self.reset_after:
            np.copyto(inner, z[3])
            np.multiply(reset, inner, out=room)
        else:
            np.multiply(reset, before, out=inner)
            np.matmul(inner, self.recurrent_kernel.data[:, 2 * self.units :], out=room)
        np.add(z[2], room, out=z[2])
        self.activation.write(z[2], candidate)
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
        self.activation.write_slope(back[2], z[2], candidate, dz[2], room[0])
        if self.reset_after:
            np.multiply(dz[2], reset, out=dz[3])
            np.multiply(dz[2], inner, out=back[1])
        else:
            by_product = np.matmul(dz[2], self.recurrent_kernel.data[:, 2 * self.units :].T, out=room[0])
            np.multiply(by_product, before, out=back[1])
            np.multiply(by_product, reset, out=by_product)
            np.add(carry, by_product, out=carry)
        self.recurrent_activation.write_slope(back[:2], z[:2], now[:2], dz[:2], room)

    def write_gradients(self, gradient: Array, slopes: Array, kept: Any, accumulate: bool) -> None:
        super().write_gradients(gradient, slopes, kept, accumulate)
        if not self.reset_after:
            u = self.units
            found = np.matmul(matrix(kept[1]).T, slopes[:, 2 * u :], out=self.scratch("inner gradient", (u, u)))
            write(self.recurrent_kernel.grad[:, 2 * u :], found, accumulate)


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
        if not isinstance(layer, Recurrent) or layer.built:
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
