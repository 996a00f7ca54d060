"""The steps of an LSTM, all of them as one table: at each a product, then what its entries go through, row by row.

Samples don't meet between two products, so that each thread takes some of them through all that lies between. What is
computed is written here as rules of single entries (see `minidl.compute.tracing`), with the operations of the layer's
own code in their order, and so its bits; tanh is NumPy's.

Arrays hold of each step i, f, o, g, c before it and tanh(c) behind it, of shape (steps + 1, 6, batch, units). The parts
of the product z, of shape (batch, 4 units), come in the order i, f, o, g.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import compile_source, compiled, is_loaded, once
from minidl.compute.joining import single
from minidl.compute.tables import Record, Table, in_turn, loads, parts, run_over, shared
from minidl.compute.tracing import Tracing, Untraceable

__all__ = ["walk", "walk_back"]

Array = NDArray[Any]

_ROWS = """
define void @packed_rows(ptr %places, ptr %sizes, ptr %strides, ptr %c) {{
start:
  {loads}
  br label %row
row:
  %b = phi i64 [ 0, %start ], [ %next, %row ]
  {moves}
  call void @run(i64 %n, ptr %c, {arguments})
  %next = add i64 %b, 1
  %done = icmp eq i64 %next, %rows
  br i1 %done, label %end, label %row
end:
  ret void
}}
"""


# What goes on between the products; each writes what it returns to the first array, the third, the fourth ...


def _into_tanh(i: Any, z_i: Any, f: Any, o: Any, g: Any, z_f: Any, z_o: Any, z_g: Any) -> Any:  # noqa: ARG001
    return 0.5 * z_i, 0.5 * z_f, 0.5 * z_o, z_g


def _cell(i: Any, g: Any, f: Any, o: Any, cell: Any, before: Any) -> Any:  # noqa: ARG001
    i, f, o = 0.5 * i + 0.5, 0.5 * f + 0.5, 0.5 * o + 0.5
    return i, f, o, i * g + f * before


def _state(state: Any, o: Any, output: Any) -> Any:  # noqa: ARG001
    return o * output


def _first(total: Any, first: Any) -> Any:  # noqa: ARG001
    return first


def _sum(total: Any, more: Any) -> Any:
    return total + more


def _back(
    dc: Any, dh: Any, di: Any, df: Any, do: Any, dg: Any, i: Any, f: Any, o: Any, g: Any, before: Any, output: Any
) -> Any:
    dc = dc + dh * o * (1 - np.square(output))
    di, df, do, dg = dc * g, dc * before, dh * output, dc * i
    return dc * f, di * ((1 - i) * i), df * ((1 - f) * f), do * ((1 - o) * o), dg * (1 - np.square(g))


def walk(rows: Array, joint: Array, z: Array, kept: Array) -> bool:
    """Walk the sequence, and tell whether that could be done.

    Args:
        rows: [x_t, 1, h_{t−1}] of all steps, shape (steps + 1, batch, ...); the states are written to.
        joint: The matrix of all weights.
        z: A step's product, written to.
        kept: Written to.
    """
    return is_loaded() and run_over(_there, (rows, joint, z, kept))


def walk_back(dz: Array, turned: Array, dh: Array, dc: Array, dy: Array, kept: Array) -> bool:
    """Walk it back, and tell whether that could be done.

    Args:
        dz: The gradients by all products, shape (steps, batch, 4 units), written to.
        turned: The weights of the state, transposed.
        dh: Room for the gradient by a state.
        dc: Zeros; room for that by a cell.
        dy: The gradient by the output, shape (steps or 1, batch, units): of each step, or of the last one.
        kept: See above.
    """
    return is_loaded() and run_over(_back_again, (dz, turned, dh, dc, dy, kept))


def _there(rows: Array, joint: Array, z: Array, kept: Array) -> Table | None:
    units, batch = kept.shape[-1], len(z)
    gates = [z[:, k * units : (k + 1) * units] for k in range(4)]
    records: list[Record | None] = []
    for t in range(len(rows) - 1):
        now, (i, f, o, g, before, output), cell = kept[t], kept[t], kept[t + 1, 4]
        after = rows[t + 1, :, -units:]
        records.append(single(np.matmul, rows[t], joint, z))
        turns = []
        for part in parts(batch, 4 * units):
            z_i, z_f, z_o, z_g = (gate[part] for gate in gates)
            turns.append(
                [
                    _by_row(_into_tanh, i[part], z_i, f[part], o[part], g[part], z_f, z_o, z_g),
                    *(single(np.tanh, gate[part], gate[part]) for gate in now[:4]),
                    _by_row(_cell, i[part], g[part], f[part], o[part], cell[part], before[part]),
                    single(np.tanh, cell[part], output[part]),
                    _by_row(_state, after[part], o[part], output[part]),
                ]
            )
        records += _shared(turns)
    return _table(records)


def _back_again(dz: Array, turned: Array, dh: Array, dc: Array, dy: Array, kept: Array) -> Table | None:
    units, batch, steps = kept.shape[-1], len(dh), len(dz)
    records: list[Record | None] = []
    for t in range(steps - 1, -1, -1):
        i, f, o, g, before, output = kept[t]
        rule, given = (_first, dy[-1]) if t == steps - 1 else (_sum, dy[t] if len(dy) == steps else None)
        turns = []
        for part in parts(batch, 4 * units):
            d_gates = [dz[t, part, k * units : (k + 1) * units] for k in range(4)]
            kept_here = (array[part] for array in (i, f, o, g, before, output))
            more = [] if given is None else [_by_row(rule, dh[part], given[part])]
            turns.append([*more, _by_row(_back, dc[part], dh[part], *d_gates, *kept_here)])
        records += _shared(turns)
        if t:
            records.append(single(np.matmul, dz[t], turned, dh))
    return _table(records)


def _shared(turns: list[list[Record | None]]) -> list[Record | None]:
    """Return what does each of the lists in turn, by threads that share them."""
    known = [[record for record in turn if record is not None] for turn in turns]
    if any(len(one) < len(other) for one, other in zip(known, turns, strict=True)):
        return [None]
    return [*shared([in_turn(turn) for turn in known])]


def _table(records: list[Record | None]) -> Table | None:
    known = [record for record in records if record is not None]
    return Table(known) if len(known) == len(records) else None


def _by_row(rule: Callable[..., Any], *arrays: Array) -> Record | None:
    """Return a rule over arrays of one shape, the rows of which may lie apart."""
    code = _compiled(rule, arrays[0].dtype, len(arrays))
    if code is None:
        return None
    loop, numbers = code
    strides = [array.strides[0] for array in arrays]
    return Record(loop.address, [a.ctypes.data for a in arrays], [*arrays[0].shape], strides, numbers.ctypes.data)


@once
def _compiled(rule: Callable[..., Any], dtype: np.dtype[Any], count: int) -> tuple[Any, Array] | None:
    if not is_loaded():
        return None
    try:
        program, numbers = Tracing(rule, (dtype,) * count, {}).at({})
        code = compiled(program, flushing=False)
    except Untraceable:
        return None
    arrays = [f"a{k}" for k in range(count)]
    found = loads("places", "ptr", arrays) + loads("strides", "i64", [f"s{k}" for k in range(count)])
    moves = [
        line
        for k in range(count)
        for line in (f"%o{k} = mul i64 %b, %s{k}", f"%r{k} = getelementptr i8, ptr %a{k}, i64 %o{k}")
    ]
    source = code.source + _ROWS.format(
        loads="\n  ".join([*found, *loads("sizes", "i64", ["rows", "n"])]),
        moves="\n  ".join(moves),
        arguments=", ".join(f"ptr %r{k}" for k in range(count)),
    )
    return compile_source(source, "packed_rows", 0, 4), np.array(numbers, np.float64)
