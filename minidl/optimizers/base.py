"""The engine: it keeps every rule's state and steps parameters in place.

A rule is a pure function, `update`, of the arrays of one piece of a parameter. `Optimizer` owns all the rest,
once for all rules: slots, step counts, resolving schedules, hooks, writing the results into the parameters'
own memory, saving and loading. `step` shows the order of things.
"""

import inspect
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from minidl import schedules
from minidl.compute.compiling import can_compile
from minidl.config import Configurable, Registry, checked_config, describe_object
from minidl.optimizers import hooks
from minidl.optimizers.execution import EXECUTIONS, Execution
from minidl.optimizers.hooks import Hook
from minidl.optimizers.laws import Law
from minidl.optimizers.probe import probe
from minidl.optimizers.spans import Entry, Saved, Span, compute_dtype, lay_out
from minidl.optimizers.state import apply_entries, check_entries, check_state, described, entries_dict, floats
from minidl.parameters import Changes, Parameter
from minidl.schedules import Hyperparameter
from minidl.validation import choice, describe, flag, integer, nearest, number, numbers

__all__ = ["NonFiniteError", "Optimizer", "registry"]


class NonFiniteError(FloatingPointError):
    """A step that can't be made, since numbers wouldn't be finite; it changed nothing."""


class Optimizer(Configurable):
    """The base of all optimizers; a subclass is a rule.

    A subclass names its `slots`, hands its hyperparameters to `super().__init__` and gives the rule:

        class Momentum(Optimizer):
            slots = ("v",)

            def __init__(self, learning_rate=0.01, momentum=0.9):
                super().__init__(learning_rate=learning_rate, momentum=momentum)

            @staticmethod
            def update(w, g, v, *, learning_rate, momentum):
                v = momentum * v + g
                return w - learning_rate * v, v

    `update` gets arrays that it must not write to, numbers as Python floats, and returns the new `w` and the
    new slots, in the order of `slots`, each in the dtype it came in. Its keyword-only arguments are whatever it
    needs among the hyperparameters, `t` (the steps of that parameter, this one included, so from 1) and what
    `prepare` returns. It is a pure function of these: what else it reads counts as constant, and it may be called with
    stand-ins (see `minidl.compute.tracing`). Before the first step it is tried on small arrays, and refused if it
    breaks this.

    A subclass may also have:

    * `elementwise = False`, for a rule that needs whole tensors (a norm, a matrix). It then gets every
      parameter by itself, in its shape; otherwise it gets pieces of any length, several parameters in one.
    * a static `prepare(t, **hyperparameters) -> dict`: numbers that the rule needs once a step beyond these. An
      argument named like one of its results gets that result of the step before (give it a default for
      the first); what it returned last is saved with the state.
    * `init_slots(data) -> dict`: how slots start when zeros like the parameter don't serve.
    * `ranges`: the range of each hyperparameter of its own, as text such as "[0, 1)", or "bool". The usual names
      have theirs already; a hyperparameter without one takes any finite number, or True or False. One named
      `learning_rate` or `weight_decay` reaches `update` multiplied by the parameter's own multiplier.
    * `laws`: what its author says of the rule, for `testing.check_optimizer` to prove. See `minidl.optimizers.laws`.

    Every hyperparameter is an attribute: a number, a flag, a schedule, or any callable of the step's index.
    Each is checked at construction and at assignment, a schedule's value when it is used.

    Attributes:
        iterations: Steps done so far; the index of schedules, from 0.
        epoch: Epochs done so far, counted by the Trainer (in a loop of your own, by you); the index of schedules with
            `every="epoch"`.
        hooks: What is done around the rule, in order: first each hook's `before`, on a copy of the
            gradient, then the rule, then each hook's `after`. See `minidl.optimizers.hooks`.
        applied: The values that the last step used, by name.
        execution: How the rule is to be run; the bits are the same in each way (but see `minidl.compute.compiling`
            for subnormal numbers). "plain": as it is written. "replayed": by the same functions of NumPy's, in memory
            used again. "compiled": as one loop over all entries (the extra `fast`). "auto" (default): replayed,
            and compiled once that has paid; plain, with a warning that says why, if the rule can be neither.
        executed: How the last step ran, such as "compiled", or "compiled, plain" where parameters differ.

    Parameters of float16 are computed, and their slots kept, in float32. A copy (deepcopy, pickle) made together with
    the parameters belongs to their copies; one made alone goes on with parameters of the same names and shapes.

    >>> w = Parameter(np.array([1.0, -2.0]), name="w")
    >>> w.grad = [0.5, 0.5]
    >>> optimizer = minidl.optimizers.Momentum(learning_rate=0.1)
    >>> optimizer.step([w])
    >>> w.data.tolist(), optimizer.state[w]["v"].tolist()
    ([0.95, -2.05], [0.5, 0.5])
    """

    slots: ClassVar[tuple[str, ...]] = ()
    elementwise: ClassVar[bool] = True
    laws: ClassVar[tuple[Law, ...]] = ()
    ranges: ClassVar[dict[str, str]] = {
        "learning_rate": "[0, inf)",
        "momentum": "[0, 1)",
        "beta_1": "[0, 1)",
        "beta_2": "[0, 1)",
        "rho": "[0, 1)",
        "epsilon": "[0, inf)",
        "epsilon_root": "[0, inf)",
        "weight_decay": "[0, inf)",
    }

    #: Where to find what other frameworks make an argument of.
    pointers: ClassVar[dict[str, str]] = {
        "momentum": "See the classes Momentum, Nesterov and RMSpropMomentum.",
        "nesterov": "See the class Nesterov.",
        "amsgrad": "See the class AMSGrad.",
        "centered": "See the class CenteredRMSprop.",
        "weight_decay": "Put the hook WeightDecay (or L2) into the optimizer's hooks, or take AdamW.",
        "clipnorm": "Put the hook ClipByGlobalNorm into the optimizer's hooks.",
        "global_clipnorm": "Put the hook ClipByGlobalNorm into the optimizer's hooks.",
        "clipvalue": "Put the hook ClipByValue into the optimizer's hooks.",
        "decay": "Give a schedule as the learning_rate, such as InverseTimeDecay.",
    }
    _keywords: ClassVar[dict[str, frozenset[str] | None]]
    _prepares: ClassVar[bool] = False
    _layout: list[Span]
    _signature: list[Any]
    _arrays: list[NDArray[Any]]
    _seen: tuple[tuple[Parameter, ...], int, bool]

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # the hyperparameters

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, allowed in cls.ranges.items():
            if allowed != "bool" and allowed[:1] not in ("[", "("):
                raise ValueError(
                    f'{cls.__name__}: ranges[{name!r}] must be an interval or "bool", since a schedule gives numbers. '
                    f"Received: {allowed!r}"
                )
        named = isinstance(cls.slots, tuple) and all(isinstance(name, str) for name in cls.slots)
        if not named or len(set(cls.slots)) < len(cls.slots):
            raise TypeError(f"{cls.__name__}: slots must be a tuple of different names. Received: slots={cls.slots!r}")
        if not isinstance(cls.laws, tuple) or not all(isinstance(law, Law) for law in cls.laws):
            raise TypeError(
                f"{cls.__name__}: laws must be a tuple of instances of Law. Received: laws={describe(cls.laws)}"
            )
        cls._keywords = {}
        for name in ("update", "prepare"):
            function = inspect.getattr_static(cls, name)
            if not isinstance(function, staticmethod):
                raise TypeError(f"{cls.__name__}: {name} must be a @staticmethod. Received: {describe(function)}")
            cls._keywords[name] = _keywords(function.__func__, skip_positional=name == "update")
        cls._prepares = cls.prepare is not Optimizer.prepare
        parameters = inspect.signature(cls.update).parameters.values()
        arrays = [p for p in parameters if p.kind in _POSITIONAL]
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        if not variadic and len(arrays) != 2 + len(cls.slots):
            raise TypeError(
                f"{cls.__name__}: update must take w, g and the slots {cls.slots!r}, the rest by keyword only. "
                f"Received: update{inspect.signature(cls.update)}"
            )

    def __init__(self, **hyperparameters: Hyperparameter | bool) -> None:
        for name in hyperparameters:
            if name in ("t", "iterations", "epoch", "hooks", "applied", "execution") or hasattr(type(self), name):
                raise TypeError(f"{self._called}: a hyperparameter must have a name of its own. Received: {name!r}")
        self._names = tuple(hyperparameters)
        for name, value in hyperparameters.items():
            setattr(self, name, value)
        self.iterations = 0
        self.epoch = 0
        self.hooks: list[Hook] = []
        self.execution = "auto"
        self.applied: dict[str, float] = {}
        self._entries: dict[Parameter, Entry] = {}
        self._pending: dict[str, Any] = {}
        self._locked = False
        self._is_copy = False
        self._forget_layout()

    # The rule ------------------------------------------------------------------------------------------

    @staticmethod
    def update(*args: Any, **kwargs: Any) -> Any:  # this signature admits every override
        """Return the new `w` and the new slots; the rule itself, given by the subclass."""
        raise NotImplementedError("Optimizer: a subclass must give update(w, g, *slots, *, ...)")

    @staticmethod
    def prepare(*args: Any, **kwargs: Any) -> dict[str, float]:  # noqa: ARG004  # this signature admits every override
        """Return the numbers that the rule needs once a step beyond its hyperparameters."""
        return {}

    def init_slots(self, data: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return each slot's start for a parameter that holds `data`: zeros of its shape and dtype."""
        return {name: np.zeros_like(data) for name in self.slots}

    # Stepping ------------------------------------------------------------------------------------------

    def step(self, parameters: Iterable[Parameter]) -> None:
        """Move every trainable parameter by one step of the rule, in place, along its `grad`.

        Raises:
            NonFiniteError: If a gradient holds a number that isn't finite, or is so large that the rule's numbers
                overflow. Nothing is changed then.
            ValueError: If a parameter is given twice, or a schedule's value is out of range.
            TypeError: If these are no parameters, or the rule breaks its contract (see the class).
        """
        spans = self._spans(parameters)
        if self.hooks:
            self._refuse_hooks(self.hooks)
        huge = self._refuse_nonfinite(spans)
        values = {name: self._current(name, vars(self)[name]) for name in self._names}
        for span in spans:
            span.learning_rate = values.get("learning_rate", 1.0) * span.multiplier
            span.load()
        for hook in self.hooks:
            hook.before(spans)
        if huge:
            self._sweep_or_restore(spans, values)
        else:
            self._sweep(spans, values)
        for hook in self.hooks:
            hook.after(spans)
        for span in spans:
            span.store()
        vars(self)["iterations"] += 1  # what is assigned so isn't checked
        vars(self)["applied"] = values

    def build(self, parameters: Iterable[Parameter]) -> None:
        """Make the slots of those `parameters` that have none yet; a first `step` does it too.

        Raises:
            ValueError: If a parameter is given twice, or a loaded state doesn't fit the parameters.
            TypeError: If these are no parameters, or the rule breaks its contract (see the class).
        """
        parameters = self._listed(parameters)
        if len(set(parameters)) < len(parameters):
            twice = sorted({p.name for p in parameters if parameters.count(p) > 1})
            raise ValueError(f"{self._called}: a parameter must be given once. Received twice: {', '.join(twice)}")
        if self._is_copy:
            self._adopt([parameter for parameter in parameters if parameter not in self._entries])
            self._is_copy = False
        new = [parameter for parameter in parameters if parameter not in self._entries]
        if not new:
            return
        probe(self, [(parameter.shape, compute_dtype(parameter)) for parameter in new])
        entries = {parameter: Entry(self._start(parameter)) for parameter in new}
        if self._pending:
            everything = {**self._entries, **entries}
            check_entries(self._called, self._pending, everything)
            apply_entries(self._pending, everything)
            self._pending = {}
        self._entries.update(entries)

    def current(self, name: str) -> Any:
        """Return the value of the hyperparameter `name` now in force: the next step will use it.

        Raises:
            ValueError: If there is no such hyperparameter, or a schedule's value is out of range.
        """
        if name not in self._names:
            raise ValueError(
                f"{self._called}: no such hyperparameter. Received: {name!r}. {nearest(str(name), self._names)}"
            )
        return self._current(name, getattr(self, name))

    def _current(self, name: str, value: Any) -> Any:
        if not callable(value):
            return value
        index = self.epoch if getattr(value, "every", "step") == "epoch" else self.iterations
        return number(self._called, name, value(index), self.ranges.get(name, "(-inf, inf)"))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters by name, as they were set: numbers, flags and schedules."""
        return {name: getattr(self, name) for name in self._names}

    @property
    def state(self) -> dict[Parameter, dict[str, NDArray[Any]]]:
        """The live slots: `optimizer.state[parameter]["m"]`, in the shape of the parameter."""
        return {parameter: entry.slots for parameter, entry in self._entries.items()}

    @property
    def executed(self) -> str:
        """How the last step ran: "compiled", "replayed" or "plain", or several of these; "" before the first."""
        return ", ".join(sorted({span.execution.way for span in self._layout} - {""}))

    def steps(self, parameter: Parameter) -> int:
        """Return t: how many steps `parameter` has taken."""
        return self._entries[parameter].t if parameter in self._entries else 0

    def _sweep(self, spans: Sequence[Span], values: dict[str, Any]) -> None:
        for span in spans:
            if span.shrink != 1:
                np.multiply(span.data, span.shrink, out=span.data)
            self._sweep_one(span, values)

    def _sweep_or_restore(self, spans: Sequence[Span], values: dict[str, Any]) -> None:
        """Sweep; where a number overflows, put everything back and raise NonFiniteError."""
        before = [span.saved() for span in spans]
        try:
            with np.errstate(all="ignore"):
                self._sweep(spans, values)
                self._refuse_overflow(spans, before)
        except BaseException:
            for span, saved in zip(spans, before, strict=True):
                span.restore(saved)
            raise

    def _sweep_one(self, span: Span, values: dict[str, Any]) -> None:
        keywords = dict(values)
        if "learning_rate" in values:
            keywords["learning_rate"] = span.learning_rate
        if "weight_decay" in values:
            keywords["weight_decay"] *= span.weight_decay_multiplier
        kept = self._prepare(keywords, span.t + 1, span.entries[0].kept) if self._prepares else {}
        keywords = {**keywords, "t": span.t + 1, **kept}
        span.execution.run(self._wanted("update", keywords))
        for entry in span.entries:
            entry.t += 1
            entry.kept = kept
        span.t += 1

    def _apply(self, inputs: Sequence[NDArray[Any]], keywords: dict[str, Any]) -> list[NDArray[Any]]:
        """Return what `update` makes of `inputs`, in arrays that share no memory with them."""
        results = self.update(*inputs, **keywords)
        if not isinstance(results, tuple):
            results = (results,)
        arrays = [np.asarray(result) for result in results]
        return [array if array.base is None else array.copy() for array in arrays]

    def _prepare(self, values: dict[str, Any], t: int, kept: dict[str, float]) -> dict[str, float]:
        """Return the numbers that the rule's own `prepare` gives for a step."""
        wanted = self._wanted("prepare", {**values, **kept, "t": t})
        prepared = floats(f"{self._called}: prepare must return", self.prepare(**wanted))
        for name in prepared:
            if name in values or name == "t":
                raise TypeError(f"{self._called}: prepare must give its results names of their own. Received: {name!r}")
        return prepared

    def _wanted(self, function: str, values: dict[str, Any]) -> dict[str, Any]:
        wanted = self._keywords[function]
        return values if wanted is None else {name: values[name] for name in wanted if name in values}

    def _refuse_hooks(self, given: Any) -> None:
        if not isinstance(given, (list, tuple)) or not all(isinstance(hook, Hook) for hook in given):
            raise TypeError(f"{self._called}: hooks must be a list of instances of Hook. Received: {describe(given)}")

    def _refuse_nonfinite(self, spans: Sequence[Span]) -> bool:
        """Raise if a gradient isn't finite; tell whether one is so large that the rule's numbers may overflow."""
        huge = False
        for span in spans:
            # One product tells in most cases; it may overflow where every entry is finite.
            if not all(part.largest_square() < span.safe for part in span.parts):
                huge = True
                for parameter in span.parameters:
                    self._refuse_nonfinite_in(parameter)
        return huge

    def _refuse_overflow(self, spans: Sequence[Span], before: Sequence[Saved]) -> None:
        for span, saved in zip(spans, before, strict=True):
            found = span.overflowed(saved)
            if found is not None:
                parameter, name = found
                largest = np.abs(parameter.grad).max(initial=0)
                dtype = parameter.dtype if name == "w" else compute_dtype(parameter)
                wider = "" if dtype == np.float64 else ", or float64"
                raise NonFiniteError(
                    f"{self._called}: a step must stay in the range of {dtype}. Received: a gradient of "
                    f"{parameter.name!r} with entries of up to {largest:.3g}, of which {name} overflows, in step "
                    f"{self.iterations + 1}; nothing was changed; the hook ClipByGlobalNorm or ClipByValue, a smaller "
                    f"scale of the loss{wider} helps"
                )

    def _refuse_nonfinite_in(self, parameter: Parameter) -> None:
        bad = ~np.isfinite(parameter.grad)
        if bad.any():
            gone = not np.isfinite(parameter.data).all()
            cause = (
                "the parameter itself isn't finite any more: an earlier update made it so"
                if gone
                else "a smaller learning rate, or the hook ClipByGlobalNorm, often helps"
            )
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            raise NonFiniteError(
                f"{self._called}: gradients must be finite. Received: {bad.sum()} of {bad.size} entries of "
                f"{parameter.name!r} not finite, the first {parameter.grad[first]} at {list(first)}, in step "
                f"{self.iterations + 1}; nothing was changed; {cause}"
            )

    # Where things lie ----------------------------------------------------------------------------------

    def _spans(self, parameters: Iterable[Parameter]) -> list[Span]:
        """Return the spans of equals into which `parameters` fall; they are found anew only after a change."""
        parameters = self._listed(parameters)
        seen = (parameters, Changes.count, bool(self.hooks))
        if seen == self._seen:
            return self._layout
        signature: list[Any] = [bool(self.hooks)]
        signature += [
            (p, id(p.data), p.trainable, p.learning_rate_multiplier, p.weight_decay_multiplier) for p in parameters
        ]
        if signature != self._signature:
            self.build(parameters)
            self._refuse_multipliers(parameters)
            trained = [parameter for parameter in parameters if parameter.trainable]
            self._layout = lay_out(trained, self._entries, self.elementwise, scratch=bool(self.hooks))
            for span in self._layout:
                span.execution = Execution(self, span)
            self._signature = signature
            self._arrays = [parameter.data for parameter in parameters]  # keeps the ids above from being given again
        self._seen = seen
        return self._layout

    def _listed(self, given: Any) -> tuple[Parameter, ...]:
        if given is self._seen[0]:
            return given
        parameters: tuple[Any, ...] = tuple(given) if hasattr(given, "__iter__") else (None,)
        if not all(isinstance(parameter, Parameter) for parameter in parameters):
            raise TypeError(f"{self._called}: a step needs a list of parameters. Received: {describe(given)}")
        return parameters

    def _refuse_multipliers(self, parameters: Sequence[Parameter]) -> None:
        for parameter in parameters:
            if parameter.learning_rate_multiplier != 1 and "learning_rate" not in self._names:
                raise ValueError(
                    f"{self._called}: has no learning_rate that a multiplier could multiply. "
                    f"Received: learning_rate_multiplier={parameter.learning_rate_multiplier} of {parameter.name!r}"
                )

    def _forget_layout(self) -> None:
        vars(self).update(_no_layout())

    def _start(self, parameter: Parameter) -> dict[str, NDArray[Any]]:
        slots = self._slots_for(parameter.data.astype(compute_dtype(parameter)))
        return {name: np.array(slot) for name, slot in slots.items()}

    def _slots_for(self, data: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return what `init_slots` gives, in the order of `slots`; raise TypeError if it isn't what it must be."""
        given = self.init_slots(data)
        if not isinstance(given, dict) or set(given) != set(self.slots):
            received = tuple(given) if isinstance(given, dict) else describe(given)
            raise TypeError(f"{self._called}: init_slots must return the slots {self.slots}. Received: {received}")
        slots = {name: numbers(self._called, f"the start of {name}", given[name]) for name in self.slots}
        for name, slot in slots.items():
            if self.elementwise and slot.shape != data.shape:
                raise TypeError(
                    f"{self._called}: a slot of an elementwise rule must have its parameter's shape {data.shape}; a "
                    f"rule that needs other slots must say elementwise = False. Received: {name} of shape {slot.shape}"
                )
        return slots

    # Hyperparameters -----------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        known = vars(self).get("_names", ())
        if name in known:
            value = self.checked(name, value)
        elif name == "hooks":
            self._refuse_hooks(value)
        elif name in ("iterations", "epoch"):
            value = integer(self._called, name, value)
        elif name == "execution":
            value = choice(self._called, name, value, EXECUTIONS)
            if value == "compiled" and not can_compile():
                raise ImportError(
                    f"{self._called}: compiled execution needs LLVM: pip install 'minidl[fast]'. "
                    f"Received: execution='compiled'"
                )
            self._forget_layout()
        elif vars(self).get("_locked") and name not in vars(self) and not hasattr(type(self), name):
            hint = nearest(name, {n for n in vars(self) if not n.startswith("_")})
            raise AttributeError(f"{self._called}: no such attribute. Received: {name}={describe(value)}. {hint}")
        object.__setattr__(self, name, value)

    def _constructed(self) -> None:
        if "_names" not in vars(self):
            raise RuntimeError(
                f"{self._called}: its constructor must call super().__init__ with its hyperparameters. "
                f"Received: no such call"
            )
        if self.update is Optimizer.update:
            raise TypeError(f"{self._called}: a subclass must give update(w, g, *slots, *, ...). Received: {self!r}")
        self._locked = True

    def checked(self, name: str, value: Any) -> Any:
        """Return `value` as the hyperparameter `name` holds it; raise ValueError or TypeError if it mustn't."""
        if isinstance(value, dict):
            value = schedules.registry.get(value, self._called)
        interval = self.ranges.get(name)
        if interval == "bool" or (interval is None and isinstance(value, (bool, np.bool_))):
            return flag(self._called, name, value)
        if callable(value) and not isinstance(value, type):
            return value
        return number(self._called, name, value, interval or "(-inf, inf)")

    def _repr_html_(self) -> str:
        from minidl.representation import html_table

        rows = [[name, repr(getattr(self, name)), self.current(name)] for name in self._names]
        notes = [f"{self.iterations} steps{f', the last one {self.executed}' if self.executed else ''}"]
        notes += [f"hooks: {', '.join(map(repr, self.hooks))}"] if self.hooks else []
        return html_table(self._called, ["hyperparameter", "given", "in force"], rows, notes)

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in self._names]
        if self.hooks:
            shown.append(f"hooks={self.hooks!r}")
        if self.execution != "auto":
            shown.append(f"execution={self.execution!r}")
        return f"{self._called}({', '.join(shown)})"

    # Saving and loading --------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments and, if there are any, the hooks, JSON-able for `from_config`.

        Raises:
            TypeError: If a hyperparameter is a bare callable, which no file can hold.
        """
        for name, value in self.hyperparameters.items():
            if callable(value) and described(value) is None:
                raise TypeError(
                    f"{self._called}: only a minidl.schedules.Schedule can be described by a config. "
                    f"Received: {name}={describe(value)}"
                )
        config = super().get_config()
        if self.takes_any_argument():  # a rule without a constructor of its own
            config.update({name: described(value) for name, value in self.hyperparameters.items()})
        if self.hooks:
            config["hooks"] = [describe_object(hook) for hook in self.hooks]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make an optimizer, without state, from what `get_config` returned."""
        config = checked_config(cls.__name__, config)
        around = cls._hooks_from(config.pop("hooks", []))
        optimizer = cls(**config)
        optimizer.hooks = around
        return optimizer

    @classmethod
    def _hooks_from(cls, configs: Any) -> list[Hook]:
        if not isinstance(configs, (list, tuple)):
            raise TypeError(f"{cls.__name__}: hooks must be a list. Received: hooks={describe(configs)}")
        return [hooks.registry.get(config, cls.__name__) for config in configs]

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything that steps have made, keyed by the parameters' names.

        It holds "class", "iterations", "epoch", "hyperparameters" (numbers, and configs of schedules; None for
        a bare callable), the configs of "hooks", and "parameters": for each name its "t", its "slots" and what
        `prepare` "kept".

        Raises:
            ValueError: If two parameters have one name.
        """
        return {
            "class": self._called,
            "iterations": self.iterations,
            "epoch": self.epoch,
            "hyperparameters": {name: described(value) for name, value in self.hyperparameters.items()},
            "hooks": [describe_object(hook) for hook in self.hooks],
            "parameters": deepcopy(self._pending) or entries_dict(self._called, self._entries),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a copy of `state`, all or nothing: the next step continues exactly where it was taken.

        An optimizer that has no parameters yet keeps the state until `build` or the first `step`, and
        checks it against the parameters then. Hyperparameters and hooks are set to the saved ones; what no state
        holds, a bare callable, and schedules and hooks of a user's own class, must be given to this optimizer before.

        Raises:
            ValueError: If class, names, slots or shapes don't fit; nothing is changed then.
            TypeError: If a part of it isn't of the kind that `state_dict` returns; likewise.
        """
        hyperparameters = check_state(self, state)
        same = isinstance(state["hooks"], list) and [describe_object(hook) for hook in self.hooks] == state["hooks"]
        loaded_hooks = self.hooks if same else self._hooks_from(state["hooks"])
        if self._entries:
            check_entries(self._called, state["parameters"], self._entries)
            apply_entries(state["parameters"], self._entries)
        else:
            self._pending = deepcopy(state["parameters"])
        for name, value in hyperparameters.items():
            setattr(self, name, value)
        self.iterations, self.epoch, self.hooks = state["iterations"], state["epoch"], loaded_hooks
        self._forget_layout()

    # The layout is made of views: a copy finds its own anew.
    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), **_no_layout()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        object.__setattr__(self, "_is_copy", True)

    def _adopt(self, new: Sequence[Parameter]) -> None:
        """Let a copy that was made without its parameters know those of the same names and shapes."""
        mine = {parameter.name: parameter for parameter in self._entries}
        if len(mine) == len(self._entries):
            for parameter in new:
                if parameter.name in mine and mine[parameter.name].shape == parameter.shape:
                    self._entries[parameter] = self._entries.pop(mine[parameter.name])


registry: Registry[Optimizer] = Registry("optimizer", Optimizer)


def _no_layout() -> dict[str, Any]:
    """Return what an optimizer knows of where its parameters lie before it has looked."""
    return {"_signature": [], "_layout": [], "_arrays": [], "_seen": ((), -1, False)}


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _keywords(function: Any, skip_positional: bool) -> frozenset[str] | None:
    """Return the names of the arguments that `function` takes by keyword; None if it takes any."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    skipped = _POSITIONAL if skip_positional else ()
    return frozenset(p.name for p in parameters if p.kind is not p.VAR_POSITIONAL and p.kind not in skipped)
