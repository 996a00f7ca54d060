"""A program made to run: replayed with NumPy's functions, or compiled as one loop by LLVM.

Both change w and the slots in place, in memory that is reused from step to step, and give the bits that the rule as it
is written gives. One exception: on x86 they take subnormal numbers (below 1.2e-38 in float32) as 0, since the processor
takes a hundred times as long for each, and the slots of units that have died are full of them. (A replay can tell the
processor so only on Linux.)
"""

import ctypes
import platform
import sys
import threading
from collections.abc import Callable, Hashable, Sequence
from functools import cache, wraps
from importlib.util import find_spec
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from minidl.compute.tracing import Numbers, Operation, Program, Untraceable, homes, where

__all__ = [
    "KINDS",
    "PIECE",
    "Compiled",
    "Replayed",
    "bound_replay",
    "can_compile",
    "check",
    "compile_source",
    "compiled",
    "flushed",
    "flushes",
    "is_loaded",
    "multiplies_and_adds",
    "once",
    "replayed",
]

Array = NDArray[Any]
DType = np.dtype[Any]
P = ParamSpec("P")
T = TypeVar("T")

#: Entries that are worked on at a time: their arrays and scratch then stay in a core's second-level cache.
PIECE = 32_768


# Replayed --------------------------------------------------------------------------------------------------


class Replayed(NamedTuple):
    """A program as Python source: one line an operation, each with its place for the result.

    `run(numbers, arrays, scratch)` takes w, g and the slots, of any one shape, and arrays of the `scratch` dtypes.
    """

    source: str
    scratch: tuple[DType, ...]
    run: Callable[[Numbers, Sequence[Array], Sequence[Array]], None]


@cache
def replayed(program: Program) -> Replayed:
    """Return `program` as calls of NumPy's functions."""
    inputs, last = len(program.inputs), _last_uses(program)
    home_of = dict(zip(program.outputs, homes(), strict=False))
    places = {i: f"a{i}" for i in range(inputs)}
    scratch: list[DType] = []
    free: list[str] = []
    lines, namespace = [], {}
    for index, operation in enumerate(program.operations):
        value = inputs + index
        operands = [places[i] if i >= 0 else f"c{~i}" for i in operation.operands]
        dying = [places[i] for i in operation.operands if i >= inputs and last[i] == index and i not in home_of]
        home = home_of.get(value)
        if home is not None and last[home] <= index and not (operation.function is where and f"a{home}" in operands):
            places[value] = f"a{home}"
        else:
            usable = [*free, *(dying if operation.function is not where else ())]
            fitting = [name for name in usable if scratch[int(name[1:])] == operation.dtypes[-1]]
            if not fitting:
                fitting = [f"s{len(scratch)}"]
                scratch.append(operation.dtypes[-1])
            places[value] = fitting[0]
        free = [name for name in dict.fromkeys([*free, *dying]) if name != places[value]]
        name = operation.function.__name__
        namespace[name] = operation.function
        lines.append(f"{name}({', '.join(operands)}, out={places[value]})")
    for value, home in home_of.items():
        if places[value] != f"a{home}":
            lines.append(f"copyto(a{home}, {places[value]})")
    unpacked = {"c": len(_numbers(program)), "a": inputs, "s": len(scratch)}
    head = [f"{''.join(f'{name}{i}, ' for i in range(count))} = {name}" for name, count in unpacked.items() if count]
    source = "\n    ".join(["def run(c, a, s):", *head, *lines, "return None"])
    namespace["copyto"] = np.copyto
    exec(source, namespace)
    return Replayed(source, tuple(scratch), namespace["run"])


def _last_uses(program: Program) -> dict[int, int]:
    """Return for each value the index of the last operation that reads it; -1 if none does."""
    last = dict.fromkeys(range(len(program.inputs) + len(program.operations)), -1)
    for index, operation in enumerate(program.operations):
        last.update({i: index for i in operation.operands if i >= 0})
    return last


def _numbers(program: Program) -> set[int]:
    return {i for operation in program.operations for i in operation.operands if i < 0}


def bound_replay(code: Replayed, pieces: Sequence[Sequence[Array]]) -> Callable[[Numbers], None]:
    """Return what replays `code` over pieces of its arrays, one after the other, the first of which is the longest."""
    scratch = [np.empty(pieces[0][0].shape, dtype) for dtype in code.scratch] if pieces else []
    bound = [(piece, [array[: len(piece[0])] if array.ndim else array for array in scratch]) for piece in pieces]

    def run(numbers: Numbers) -> None:
        for arrays, own in bound:
            code.run(numbers, arrays, own)

    return run


def flushed(run: Callable[[Numbers], None]) -> Callable[[Numbers], None]:
    """Return `run`, made to take subnormal numbers as 0 where compiled loops do, if this system lets Python say so."""
    library = _floating_point()
    if library is None:
        return run

    def run_flushed(numbers: Numbers) -> None:
        before, within = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
        library.fegetenv(before)
        library.fegetenv(within)
        within[7] |= FLUSH  # the register MXCSR comes last
        library.fesetenv(within)
        try:
            run(numbers)
        finally:
            library.fesetenv(before)

    return run_flushed


@cache
def _floating_point() -> Any:
    """Return C's library of floating-point environments, if its layout is known."""
    try:
        return ctypes.CDLL("libm.so.6") if flushes() and sys.platform == "linux" else None
    except OSError:
        return None


def check(program: Program, numbers: Numbers, function: Callable[[Sequence[Array]], Sequence[Array]]) -> None:
    """Raise Untraceable unless `program` gives the bits of the function that it was traced from, called again."""
    rng, count = np.random.default_rng(0), len(program.inputs)
    draws = np.abs(rng.standard_normal((count, 67))) * 10 ** rng.uniform(-3, 3, (count, 67))
    draws[1] *= np.sign(rng.standard_normal(67))
    arrays = [draw.astype(dtype) for draw, dtype in zip(draws, program.inputs, strict=True)]
    expected = [function([array.copy() for array in arrays]) for _ in range(8)]  # what is random may agree once
    bound_replay(replayed(program), [arrays])(numbers)
    for results in expected:
        for home, result in zip(homes(), results, strict=False):
            if not np.array_equal(arrays[home], result, equal_nan=True):
                raise Untraceable("a second call gives other numbers: it must be a pure function of its arguments")


# Compiled --------------------------------------------------------------------------------------------------


def once(function: Callable[P, T]) -> Callable[P, T]:
    """Return `function`, called once for given arguments, by one thread while others wait.

    For what is known by its address. `functools.cache` lets threads that come together make it twice and keeps the
    last one: the first, whose address somebody has already, is freed.
    """
    known = cache(function)

    @wraps(function)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
        with _ONE_AT_A_TIME:
            return known(*cast(tuple[Hashable, ...], args), **cast(dict[str, Hashable], kwargs))

    return waiting


_ONE_AT_A_TIME = threading.RLock()  # what is made once may be made of other such things


class Compiled(NamedTuple):
    """A program as machine code.

    In `source`, `run(n, numbers, w, g, *slots)` takes the number of entries and addresses: of the numbers, in float64,
    and of the arrays. `packed` is the address of the same as a loop of a table (see `minidl.compute.tables`), whose own
    data are the numbers; there are `numbers` of them.
    """

    source: str
    numbers: int
    packed: int
    code: Any


# What each function is in LLVM's language, of operands a, b, c, into r; t is the type, k its short name.
_WORDS: dict[Any, str] = {
    np.add: "{r} = fadd {t} {a}, {b}",
    np.subtract: "{r} = fsub {t} {a}, {b}",
    np.multiply: "{r} = fmul {t} {a}, {b}",
    np.true_divide: "{r} = fdiv {t} {a}, {b}",
    np.square: "{r} = fmul {t} {a}, {a}",
    np.reciprocal: "{r} = fdiv {t} 1.0, {a}",
    np.negative: "{r} = fneg {t} {a}",
    np.positive: "{r} = bitcast {t} {a} to {t}",
    np.sqrt: "{r} = call {t} @llvm.sqrt.{k}({t} {a})",
    **dict.fromkeys((np.absolute, np.fabs), "{r} = call {t} @llvm.fabs.{k}({t} {a})"),
    np.copysign: "{r} = call {t} @llvm.copysign.{k}({t} {a}, {t} {b})",
    np.sign: (
        "{r}p = fcmp ogt {t} {a}, 0.0\n{r}n = fcmp olt {t} {a}, 0.0\n{r}z = fcmp oeq {t} {a}, 0.0\n"
        "{r}x = select i1 {r}z, {t} 0.0, {t} {a}\n{r}y = select i1 {r}n, {t} -1.0, {t} {r}x\n"
        "{r} = select i1 {r}p, {t} 1.0, {t} {r}y"
    ),
    np.maximum: (
        "{r}g = fcmp ogt {t} {a}, {b}\n{r}u = fcmp uno {t} {a}, {a}\n{r}o = or i1 {r}g, {r}u\n"
        "{r} = select i1 {r}o, {t} {a}, {t} {b}"
    ),
    np.minimum: (
        "{r}g = fcmp olt {t} {a}, {b}\n{r}u = fcmp uno {t} {a}, {a}\n{r}o = or i1 {r}g, {r}u\n"
        "{r} = select i1 {r}o, {t} {a}, {t} {b}"
    ),
    np.greater: "{r} = fcmp ogt {t} {a}, {b}",
    np.greater_equal: "{r} = fcmp oge {t} {a}, {b}",
    np.less: "{r} = fcmp olt {t} {a}, {b}",
    np.less_equal: "{r} = fcmp ole {t} {a}, {b}",
    np.equal: "{r} = fcmp oeq {t} {a}, {b}",
    np.not_equal: "{r} = fcmp une {t} {a}, {b}",
    **dict.fromkeys((np.logical_and, np.bitwise_and), "{r} = and i1 {a}, {b}"),
    **dict.fromkeys((np.logical_or, np.bitwise_or), "{r} = or i1 {a}, {b}"),
    **dict.fromkeys((np.logical_not, np.invert), "{r} = xor i1 {a}, true"),
    where: "{r} = select i1 {a}, {t} {b}, {t} {c}",
}
#: What LLVM's language calls the dtypes that loops are made for.
KINDS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
_TYPES = {np.dtype(np.float32): ("float", "f32"), np.dtype(np.float64): ("double", "f64"), np.dtype(bool): ("i1", "i1")}
_CASTS = {
    ("float", "double"): "fpext",
    ("double", "float"): "fptrunc",
    ("i1", "float"): "uitofp",
    ("i1", "double"): "uitofp",
}

_SHELL = """
declare float @llvm.sqrt.f32(float)
declare double @llvm.sqrt.f64(double)
declare float @llvm.fabs.f32(float)
declare double @llvm.fabs.f64(double)
declare float @llvm.copysign.f32(float, float)
declare double @llvm.copysign.f64(double, double)

define void @loop(i64 %n, {parameters}) noinline {{
start:
{before}
  %empty = icmp eq i64 %n, 0
  br i1 %empty, label %end, label %entry
entry:
  %i = phi i64 [ 0, %start ], [ %next, %entry ]
{body}
  %next = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %next, %n
  br i1 %done, label %end, label %entry
end:
  ret void
}}
"""

# The same with the signature of the loops behind NumPy's universal functions (see `minidl.compute.tables`).
_PACKED = """
define void @packed(ptr %places, ptr %sizes, ptr %strides, ptr %c) {{
  %n = load i64, ptr %sizes
  {loads}
  call void @run(i64 %n, {arguments})
  ret void
}}
"""

# On x86 these bits of the register MXCSR make subnormal results and operands 0; it is put back behind the loop.
FLUSH = 0x8040
_FLUSHING = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

define void @run(i64 %n, {parameters}) {{
  %before = alloca i32
  %within = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %before)
  %bits = load i32, ptr %before
  %flushing = or i32 %bits, {flush}
  store i32 %flushing, ptr %within
  call void @llvm.x86.sse.ldmxcsr(ptr %within)
  call void @loop(i64 %n, {parameters})
  call void @llvm.x86.sse.ldmxcsr(ptr %before)
  ret void
}}
"""


@cache
def can_compile() -> bool:
    """Tell whether the extra `fast` is installed, without loading it."""
    return find_spec("llvmlite") is not None


def flushes() -> bool:
    """Tell whether compiled loops take subnormal numbers as 0 on this processor."""
    return platform.machine().lower() in ("x86_64", "amd64")


@cache
def multiplies_and_adds() -> bool:
    """Tell whether this processor rounds once where it multiplies and adds, as BLAS lets it."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return True
    import llvmlite.binding as llvm

    return bool(llvm.get_host_cpu_features().get("fma", False))


def is_loaded() -> bool:
    """Tell whether LLVM is in memory already, so that a loop costs but a few hundredths of a second."""
    return "llvmlite.binding" in sys.modules


@once
def compiled(program: Program, flushing: bool = True) -> Compiled:
    """Return `program` as one loop; raise Untraceable if it needs a function whose bits only NumPy knows.

    Without `flushing`, subnormal numbers are numbers like any other.
    """
    source = _source(program, flushing and flushes())
    code = compile_source(source, "packed", 0, 4)
    return Compiled(source, len(_numbers(program)), code.address, code)


def compile_source(source: str, name: str, sizes: int, addresses: int) -> Any:
    """Return the function of that name of a module in LLVM's language, which takes that many sizes, then addresses.

    It is at `address`; its `engine` owns the code, and has the addresses of the module's other functions.
    """
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(source)
    machine = _machine()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * sizes, *[ctypes.c_void_p] * addresses)
    address = engine.get_function_address(name)
    run: Any = signature(address)
    run.engine, run.address = engine, address
    return run


def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3)


def _source(program: Program, flushing: bool) -> str:
    """Return the loop in LLVM's language."""
    before, body = [], []
    for i in sorted({~number for number in _numbers(program)}):
        before += [f"%q{i} = getelementptr double, ptr %c, i64 {i}", f"%c{i} = load double, ptr %q{i}"]
        before.append(f"%f{i} = fptrunc double %c{i} to float")
    types = [_type(dtype) for dtype in program.inputs]
    for i, kind in enumerate(types):
        body += [f"%p{i} = getelementptr {kind}, ptr %a{i}, i64 %i", f"%v{i} = load {kind}, ptr %p{i}"]
    for operation in program.operations:
        body += _lines(operation, types)
        types.append(_type(operation.dtypes[-1]))
    body += [
        f"store {types[v]} %v{v}, ptr %p{home}" for v, home in zip(program.outputs, homes(), strict=False) if v != home
    ]
    parameters = ", ".join(f"ptr noalias %{name}" for name in ("c", *(f"a{i}" for i in range(len(program.inputs)))))
    shell = (_SHELL + _FLUSHING if flushing else _SHELL.replace("@loop", "@run")) + _PACKED
    inputs = range(len(program.inputs))
    loads = [f"%q{i} = getelementptr ptr, ptr %places, i64 {i}\n  %a{i} = load ptr, ptr %q{i}" for i in inputs]
    return shell.format(
        loads="\n  ".join(loads),
        arguments=", ".join(["ptr %c", *(f"ptr %a{i}" for i in inputs)]),
        flush=FLUSH,
        parameters=parameters,
        before="\n".join(before),
        body="\n".join(body),
    )


def _lines(operation: Operation, types: list[str]) -> list[str]:
    """Return an operation in LLVM's language, behind the conversions that it needs."""
    word = _WORDS.get(operation.function)
    known = [dtype in _TYPES for dtype in operation.dtypes]
    if word is None or not all(known):
        raise Untraceable(f"only NumPy itself gives the bits of np.{operation.function.__name__}")
    result, lines, operands = f"%v{len(types)}", [], []
    for place, (i, dtype) in enumerate(zip(operation.operands, operation.dtypes, strict=False)):
        wanted = _type(dtype)
        if i < 0:
            operands.append(f"%{'f' if wanted == 'float' else 'c'}{~i}")
        elif types[i] == wanted:
            operands.append(f"%v{i}")
        else:
            operands.append(f"{result}o{place}")
            lines.append(f"{operands[-1]} = {_CASTS[types[i], wanted]} {types[i]} %v{i} to {wanted}")
    kind, short = _TYPES[operation.dtypes[0] if operation.function is not where else operation.dtypes[-1]]
    a, b, c = (*operands, "", "")[:3] if len(operands) < 3 else operands
    return [*lines, *word.format(r=result, t=kind, k=short, a=a, b=b, c=c).split("\n")]


def _type(dtype: DType) -> str:
    if dtype not in _TYPES:
        raise Untraceable(f"only NumPy itself computes in {dtype}")
    return _TYPES[dtype][0]
