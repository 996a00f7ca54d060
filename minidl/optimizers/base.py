"""The engine: it keeps every rule's state and steps parameters in place.

A rule is a pure function, `update`, of the arrays of one piece of a parameter. `Optimizer` owns all the rest,
once for all rules: slots, step counts, resolving schedules, hooks, writing the results into the parameters'
own memory, saving and loading. `step` shows the order of things.
"""

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from minidl import schedules
from minidl.config import Configurable, Registry
from minidl.optimizers.hooks import Hook
from minidl.optimizers.probe import probe
from minidl.optimizers.spans import Entry, Span, compute_dtype, lay_out
from minidl.parameters import Parameter
from minidl.schedules import Hyperparameter
from minidl.validation import describe, integer, nearest, number

__all__ = ["Optimizer", "registry"]


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
    `prepare` returns. Before the first step the rule is tried on small arrays and refused if it breaks this.

    A subclass may also have:

    * `elementwise = False`, for a rule that needs whole tensors (a norm, a matrix). It then gets every
      parameter by itself, in its shape; otherwise it gets pieces of any length, several parameters in one.
    * a static `prepare(t, **hyperparameters) -> dict`: numbers that the rule needs once a step beyond these. An
      argument named like one of its results gets that result of the step before (give it a default for
      the first); what it returned last is saved with the state.
    * `init_slots(data) -> dict`: how slots start when zeros like the parameter don't serve.
    * `ranges`: the range of each hyperparameter of its own, as text such as "[0, 1)", or "bool". The usual names
      have theirs already; a hyperparameter without one takes any finite number, or True or False.

    Every hyperparameter is an attribute: a number, a flag, a schedule, or any callable of the step's index.
    Each is checked at construction and at assignment, a schedule's value when it is used.

    Attributes:
        iterations: Steps done so far; the index of schedules, from 0.
        epoch: Epochs done so far, set by the Trainer; the index of schedules with `every="epoch"`.
        hooks: What is done around the rule, in order: first each hook's `before`, on a copy of the
            gradient, then the rule, then each hook's `after`. See `minidl.optimizers.hooks`.
        applied: The values that the last step used, by name.

    Parameters of float16 are computed, and their slots kept, in float32.

    >>> w = Parameter(np.array([1.0, -2.0]), name="w")
    >>> w.grad = [0.5, 0.5]
    >>> optimizer = minidl.optimizers.Momentum(learning_rate=0.1)
    >>> optimizer.step([w])
    >>> w.data.tolist(), optimizer.state[w]["v"].tolist()
    ([0.95, -2.05], [0.5, 0.5])
    """

    slots: ClassVar[tuple[str, ...]] = ()
    elementwise: ClassVar[bool] = True
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

    _keywords: ClassVar[dict[str, frozenset[str] | None]]

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # the hyperparameters

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.ranges = {**super(cls, cls).ranges, **cls.__dict__.get("ranges", {})}  # type: ignore[misc]  # Optimizer has it
        cls._keywords = {}
        for name in ("update", "prepare"):
            function = inspect.getattr_static(cls, name)
            if not isinstance(function, staticmethod):
                raise TypeError(f"{cls.__name__}: {name} must be a @staticmethod. Received: {describe(function)}")
            cls._keywords[name] = _keywords(function.__func__, skip_positional=name == "update")
        parameters = inspect.signature(cls.update).parameters.values()
        arrays = [p for p in parameters if p.kind in _POSITIONAL]
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        if not isinstance(cls.slots, tuple) or not (variadic or len(arrays) == 2 + len(cls.slots)):
            raise TypeError(
                f"{cls.__name__}: update must take w, g and the slots {cls.slots!r}, the rest by keyword only. "
                f"Received: update{inspect.signature(cls.update)}"
            )

    def __init__(self, **hyperparameters: Hyperparameter | bool) -> None:
        self._names = tuple(hyperparameters)
        for name, value in hyperparameters.items():
            setattr(self, name, value)
        self.iterations = 0
        self.epoch = 0
        self.hooks: list[Hook] = []
        self.applied: dict[str, float] = {}
        self._entries: dict[Parameter, Entry] = {}
        self._pending: dict[str, Any] = {}
        self._locked = False
        self._signature: list[Any] = []
        self._layout: list[Span] = []
        self._seen: list[NDArray[Any]] = []

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
            FloatingPointError: If a gradient holds a number that isn't finite. Nothing is changed then.
            ValueError: If a parameter is given twice, or a schedule's value is out of range.
            TypeError: If the rule breaks its contract (see the class).
        """
        spans = self._spans(parameters)
        self._refuse_nonfinite(spans)
        values = {name: self.current(name) for name in self._names}
        for span in spans:
            span.learning_rate = values.get("learning_rate", 1.0) * span.multiplier
            span.load()
        for hook in self.hooks:
            hook.before(spans)
        for span in spans:
            self._sweep(span, values)
        for hook in self.hooks:
            hook.after(spans)
        for span in spans:
            span.store()
        self.iterations += 1
        self.applied = values

    def build(self, parameters: Iterable[Parameter]) -> None:
        """Make the slots of those `parameters` that have none yet; a first `step` does it too.

        Raises:
            ValueError: If a parameter is given twice, or a loaded state doesn't fit the parameters.
            TypeError: If the rule breaks its contract (see the class).
        """
        parameters = tuple(parameters)
        if len(set(parameters)) < len(parameters):
            twice = sorted({p.name for p in parameters if parameters.count(p) > 1})
            raise ValueError(f"{self._name}: a parameter must be given once. Received twice: {', '.join(twice)}")
        new = [parameter for parameter in parameters if parameter not in self._entries]
        probe(self, [(parameter.shape, compute_dtype(parameter)) for parameter in new])
        entries = {parameter: Entry(self._start(parameter)) for parameter in new}
        if self._pending:
            everything = {**self._entries, **entries}
            self._check_fit(self._pending, everything)
            self._apply_state(self._pending, everything)
            self._pending = {}
        self._entries.update(entries)

    def current(self, name: str) -> Any:
        """Return the value of the hyperparameter `name` now in force: the next step will use it.

        Raises:
            ValueError: If there is no such hyperparameter, or a schedule's value is out of range.
        """
        if name not in self._names:
            raise ValueError(f"{self._name}: no such hyperparameter. Received: {name!r}. {nearest(name, self._names)}")
        value = getattr(self, name)
        if not callable(value):
            return value
        index = self.epoch if getattr(value, "every", "step") == "epoch" else self.iterations
        return number(self._name, name, value(index), self.ranges.get(name, "(-inf, inf)"))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters by name, as they were set: numbers, flags and schedules."""
        return {name: getattr(self, name) for name in self._names}

    @property
    def state(self) -> dict[Parameter, dict[str, NDArray[Any]]]:
        """The live slots: `optimizer.state[parameter]["m"]`, in the shape of the parameter."""
        return {parameter: entry.slots for parameter, entry in self._entries.items()}

    def steps(self, parameter: Parameter) -> int:
        """Return t: how many steps `parameter` has taken."""
        return self._entries[parameter].t if parameter in self._entries else 0

    def _sweep(self, span: Span, values: dict[str, Any]) -> None:
        keywords = {**values, "learning_rate": span.learning_rate} if "learning_rate" in values else values
        kept = self._prepare(keywords, span.t + 1, span.entries[0].kept)
        keywords = self._wanted("update", {**keywords, "t": span.t + 1, **kept})
        for targets, inputs in span.pieces:
            results = self.update(*inputs, **keywords)
            if not isinstance(results, tuple):
                results = (results,)
            # A result that is a view may look into memory that the next line writes.
            for target, result in zip(targets, [r if r.base is None else r.copy() for r in results], strict=True):
                np.copyto(target, result, casting="no")
        for entry in span.entries:
            entry.t += 1
            entry.kept = kept
        span.t += 1

    def _prepare(self, values: dict[str, Any], t: int, kept: dict[str, float]) -> dict[str, float]:
        return {k: float(v) for k, v in self.prepare(**self._wanted("prepare", {**values, **kept, "t": t})).items()}

    def _wanted(self, function: str, values: dict[str, Any]) -> dict[str, Any]:
        wanted = self._keywords[function]
        return values if wanted is None else {name: values[name] for name in wanted if name in values}

    def _refuse_nonfinite(self, spans: Sequence[Span]) -> None:
        with np.errstate(all="ignore"):
            for span in spans:
                # One product tells in most cases; it may overflow where every entry is finite.
                if np.isfinite(np.vdot(span.source_grad, span.source_grad)):
                    continue
                for parameter in span.parameters:
                    bad = ~np.isfinite(parameter.grad)
                    if bad.any():
                        first = tuple(int(i) for i in np.argwhere(bad)[0])
                        raise FloatingPointError(
                            f"{self._name}: gradients must be finite. Received: {bad.sum()} of {bad.size} entries of "
                            f"{parameter.name!r} not finite, the first {parameter.grad[first]} at {list(first)}, in "
                            f"step {self.iterations + 1}; nothing was changed. A smaller learning rate, or the hook "
                            f"ClipByGlobalNorm, often helps"
                        )

    # Where things lie ----------------------------------------------------------------------------------

    def _spans(self, parameters: Iterable[Parameter]) -> list[Span]:
        """Return the spans of equals into which `parameters` fall; they are found anew only after a change."""
        parameters = tuple(parameters)
        signature: list[Any] = [bool(self.hooks)]
        signature += [(id(p), id(p.data), p.trainable, p.learning_rate_multiplier) for p in parameters]
        if signature != self._signature:
            self.build(parameters)
            self._refuse_multipliers(parameters)
            trained = [parameter for parameter in parameters if parameter.trainable]
            self._layout = lay_out(trained, self._entries, self.elementwise, scratch=bool(self.hooks))
            self._signature = signature
            self._seen = [parameter.data for parameter in parameters]  # keeps the ids above from being given again
        return self._layout

    def _refuse_multipliers(self, parameters: Sequence[Parameter]) -> None:
        for parameter in parameters:
            if parameter.learning_rate_multiplier != 1 and "learning_rate" not in self._names:
                raise ValueError(
                    f"{self._name}: has no learning_rate that a multiplier could multiply. "
                    f"Received: learning_rate_multiplier={parameter.learning_rate_multiplier} of {parameter.name!r}"
                )

    def _forget_layout(self) -> None:
        self._signature, self._layout, self._seen = [], [], []

    def _start(self, parameter: Parameter) -> dict[str, NDArray[Any]]:
        slots = self._slots_for(parameter.data.astype(compute_dtype(parameter)))
        return {name: np.array(slot) for name, slot in slots.items()}

    def _slots_for(self, data: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return what `init_slots` gives, in the order of `slots`; raise TypeError if it isn't what it must be."""
        slots = self.init_slots(data)
        if set(slots) != set(self.slots):
            raise TypeError(f"{self._name}: init_slots must return the slots {self.slots}. Received: {tuple(slots)}")
        for name, slot in slots.items():
            if self.elementwise and np.shape(slot) != data.shape:
                raise TypeError(
                    f"{self._name}: a slot of an elementwise rule must have its parameter's shape {data.shape}; a rule "
                    f"that needs other slots must say elementwise = False. Received: {name} of shape {np.shape(slot)}"
                )
        return {name: np.asarray(slots[name]) for name in self.slots}

    # Hyperparameters -----------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        known = self.__dict__.get("_names", ())
        if name in known:
            value = self._checked(name, value)
        elif self.__dict__.get("_locked") and name not in self.__dict__ and not hasattr(type(self), name):
            hint = nearest(name, {n for n in self.__dict__ if not n.startswith("_")})
            raise AttributeError(f"{self._name}: no such attribute. Received: {name}={describe(value)}. {hint}")
        object.__setattr__(self, name, value)

    def _constructed(self) -> None:
        self._locked = True

    def _checked(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            value = schedules.registry.get(value)
        interval = self.ranges.get(name)
        if isinstance(value, (bool, np.bool_)) and interval in (None, "bool"):
            return bool(value)
        if interval == "bool":
            raise TypeError(f"{self._name}: {name} must be True or False. Received: {name}={describe(value)}")
        if callable(value):
            return value
        return number(self._name, name, value, interval or "(-inf, inf)")

    @property
    def _name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in self._names]
        if self.hooks:
            shown.append(f"hooks={self.hooks!r}")
        return f"{self._name}({', '.join(shown)})"

    # Saving and loading --------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments and, if there are any, the hooks, JSON-able for `from_config`.

        Raises:
            TypeError: If a hyperparameter is a bare callable, which no file can hold.
        """
        for name, value in self.hyperparameters.items():
            if callable(value) and _saved(value) is None:
                raise TypeError(
                    f"{self._name}: only a minidl.schedules.Schedule can be described by a config. "
                    f"Received: {name}={describe(value)}"
                )
        config = super().get_config()
        if self.hooks:
            config["hooks"] = [{"class": type(hook).__name__, **hook.get_config()} for hook in self.hooks]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make an optimizer, without state, from what `get_config` returned."""
        from minidl.optimizers import hooks

        arguments = {name: value for name, value in config.items() if name != "hooks"}
        optimizer = cls(**arguments)
        optimizer.hooks = [hooks.registry.get(hook) for hook in config.get("hooks", [])]
        return optimizer

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything that steps have made, keyed by the parameters' names.

        It holds "class", "iterations", "epoch", "hyperparameters" (numbers, and configs of schedules; None for
        a bare callable) and "parameters": for each name its "t", its "slots" and what `prepare` "kept".

        Raises:
            ValueError: If two parameters have one name.
        """
        names = [parameter.name for parameter in self._entries]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"{self._name}: parameters must have different names. Received twice: {', '.join(twice)}")
        return {
            "class": self._name,
            "iterations": self.iterations,
            "epoch": self.epoch,
            "hyperparameters": {name: _saved(getattr(self, name)) for name in self._names},
            "parameters": _copied(self._pending)
            or {
                parameter.name: {
                    "t": entry.t,
                    "kept": dict(entry.kept),
                    "slots": {name: slot.copy() for name, slot in entry.slots.items()},
                }
                for parameter, entry in self._entries.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a copy of `state`, all or nothing: the next step continues exactly where it was taken.

        An optimizer that has no parameters yet keeps the state until `build` or the first `step`, and
        checks it against the parameters then. Hyperparameters are set to the saved ones; a bare callable must be
        given to this optimizer by its constructor, since no state holds it.

        Raises:
            ValueError: If class, names, slots or shapes don't fit; nothing is changed then.
        """
        loaded = self._checked_state(state)
        if self._entries:
            self._check_fit(state["parameters"], self._entries)
            self._apply_state(state["parameters"], self._entries)
        else:
            self._pending = _copied(state["parameters"])
        for name, value in loaded.items():
            setattr(self, name, value)
        self.iterations, self.epoch = state["iterations"], state["epoch"]
        self._forget_layout()

    def _checked_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters that `state` sets; raise ValueError if it isn't a state of this class."""
        parts = {"class", "iterations", "epoch", "hyperparameters", "parameters"}
        if not isinstance(state, dict) or set(state) != parts or state["class"] != self._name:
            raise ValueError(
                f"{self._name}: the state must be one of {self._name}, with {sorted(parts)}. "
                f"Received: {describe(state.get('class') if isinstance(state, dict) else state)}, "
                f"{sorted(state) if isinstance(state, dict) else 'no dict'}"
            )
        integer(self._name, "iterations", state["iterations"])
        integer(self._name, "epoch", state["epoch"])
        for name, saved in state["parameters"].items():
            if set(saved) != {"t", "kept", "slots"}:
                raise ValueError(f"{self._name}: {name} must have t, kept and slots. Received: {sorted(saved)}")
            integer(self._name, f"t of {name!r}", saved["t"])
        if set(state["hyperparameters"]) != set(self._names):
            raise ValueError(
                f"{self._name}: the state must hold the hyperparameters {sorted(self._names)}. "
                f"Received: {sorted(state['hyperparameters'])}"
            )
        loaded = {}
        for name, value in state["hyperparameters"].items():
            current = getattr(self, name)
            if value is None and not callable(current):
                raise ValueError(
                    f"{self._name}: {name} was a callable, which a state can't hold; give the same one to this "
                    f"optimizer before loading. Received: {name}={current!r}"
                )
            loaded[name] = current if value is None else self._checked(name, value)
        return loaded

    def _check_fit(self, saved: dict[str, Any], entries: dict[Parameter, Entry]) -> None:
        names = {parameter.name for parameter in entries}
        if len(names) < len(entries) or names != set(saved):
            raise ValueError(
                f"{self._name}: the state must hold exactly the parameters' names. "
                f"Received: missing {sorted(names - set(saved))}, unknown {sorted(set(saved) - names)}"
            )
        for parameter, entry in entries.items():
            have = {name: (slot.shape, str(slot.dtype)) for name, slot in entry.slots.items()}
            got = {
                name: (np.shape(slot), str(np.asarray(slot).dtype))
                for name, slot in saved[parameter.name]["slots"].items()
            }
            if have != got:
                raise ValueError(f"{self._name}: the slots of {parameter.name!r} must be {have}. Received: {got}")

    @staticmethod
    def _apply_state(saved: dict[str, Any], entries: dict[Parameter, Entry]) -> None:
        for parameter, entry in entries.items():
            source = saved[parameter.name]
            entry.t, entry.kept = int(source["t"]), dict(source["kept"])
            for name, slot in entry.slots.items():
                slot[...] = source["slots"][name]

    # The layout is made of views: a copy finds its own anew.
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_signature": [], "_layout": [], "_seen": []}


registry: Registry[Optimizer] = Registry("optimizer", Optimizer)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _keywords(function: Any, skip_positional: bool) -> frozenset[str] | None:
    """Return the names of the arguments that `function` takes by keyword; None if it takes any."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return frozenset(p.name for p in parameters if not (skip_positional and p.kind in _POSITIONAL))


def _saved(value: Any) -> Any:
    """Return a hyperparameter as a state holds it: a number, a schedule's config, None for a bare callable."""
    if not callable(value):
        return value
    try:
        return {"class": type(value).__name__, **value.get_config()}
    except (AttributeError, TypeError):
        return None


def _copied(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    return state.copy() if isinstance(state, np.ndarray) else state
