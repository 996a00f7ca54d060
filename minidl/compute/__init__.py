"""How arithmetic that is written plainly is run fast, with the same bits.

`tracing` finds out what a rule does, `compiling` replays or compiles it, `outer` runs it along a gradient that is never
written down, `fusing` does the like for activations. `reuse` writes down the calls of a training step, `joining` makes
many of them one. `tables` runs loops in machine code, by several threads where it can: `moving`, `gathering`,
`pooling`, `largest`, `crossentropy` and `memory_cells` have loops of their own.
"""

__all__: list[str] = []
