"""PyTorch's optimizers, `torch.optim`. Tensors share memory with the arrays: a step is PyTorch's own, in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from benchmarks.peers import Array, Peer
from minidl.parameters import Parameter

__all__ = ["Torch"]

# Optimizer: the entries of its state that are slots.
SLOTS: dict[str, tuple[str, ...]] = {
    "SGD": ("momentum_buffer",),
    "Adagrad": ("sum",),
    "RMSprop": ("square_avg",),
    "Adadelta": ("square_avg", "acc_delta"),
    "Adamax": ("exp_avg", "exp_inf"),
}
TWO_MOMENTS = ("exp_avg", "exp_avg_sq")
SWITCHED = {"momentum_buffer": "momentum", "grad_avg": "centered", "max_exp_avg_sq": "amsgrad"}

# minidl's name: PyTorch's, and the place in it.
NAMES: dict[str, tuple[str, int | None]] = {
    "learning_rate": ("lr", None),
    "momentum": ("momentum", None),
    "beta_1": ("betas", 0),
    "beta_2": ("betas", 1),
    "epsilon": ("eps", None),
    "weight_decay": ("weight_decay", None),
}


class Torch(Peer):
    """An optimizer of torch.optim.

    PyTorch wants its parameters in the constructor: it is called when they are first known. Before, an optimizer of an
    empty group stands for it, so that the constructor's own checks of the numbers are made at once. What is loaded
    before that is loaded then.
    """

    framework = "PyTorch"
    hidden = {
        **Peer.hidden,
        "memory_layouts": "a tensor can't have a negative stride, so the reversed array can't be given to PyTorch",
    }

    def __init__(self, name: str = "SGD", **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self._names = dict(NAMES)
        if name in ("RMSprop", "Adadelta"):
            self._names["rho"] = ("alpha" if name == "RMSprop" else "rho", None)
        self._tensors: dict[Parameter, torch.nn.Parameter] = {}
        self._pending: Any = None
        self._placeholders: list[torch.nn.Parameter] = []
        self._later: dict[str, Any] = {}
        self._optimizer = self._made([])

    def call(self) -> str:
        return f"torch.optim.{self.name}({self._shown('parameters')})"

    def _own(self) -> torch.optim.Optimizer:
        return self._optimizer

    def _made(self, tensors: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = getattr(torch.optim, self.name)(tensors or [{"params": []}], **self.arguments)
        return made

    # Numbers ------------------------------------------------------------------------------------------

    @property
    def hyperparameters(self) -> dict[str, float]:
        group = self._optimizer.param_groups[0]
        plain = {name: key for name, key in self._names.items() if key[0] in group}
        if self.name == "RMSprop" and not self.arguments.get("momentum"):
            del plain["momentum"]  # another rule
        return {name: group[key] if place is None else group[key][place] for name, (key, place) in plain.items()}

    def _change(self, name: str, value: Any) -> None:
        key, place = self._names[name]
        old = self._optimizer.param_groups[0][key]
        new = value if place is None else tuple(value if i == place else old[i] for i in range(len(old)))
        if self._tensors or self._placeholders:
            for group in self._optimizer.param_groups:
                group[key] = new
        elif self._pending is not None:
            self._later[key] = new
        else:
            before = self.arguments
            self.arguments = {**before, key: new}
            try:
                self._optimizer = self._made([])
            except Exception:
                self.arguments = before
                raise

    # Stepping -----------------------------------------------------------------------------------------

    def build(self, parameters: Iterable[Parameter]) -> None:
        """Give PyTorch those parameters that it doesn't have yet."""
        new = [parameter for parameter in parameters if parameter not in self._tensors]
        if not new:
            return
        loaded = self._pending is not None and len(self._placeholders) == len(new)
        given = self._placeholders if loaded else [torch.nn.Parameter(torch.empty(0)) for _ in new]
        made = dict(zip(new, given, strict=True))
        for parameter, tensor in made.items():
            tensor.data = torch.from_numpy(parameter.data)
        tensors = [made[parameter] for parameter in new]
        if self._tensors:
            group = self._optimizer.param_groups[0]
            numbers = {key: group[key] for key in self._optimizer.defaults}
            self._optimizer.add_param_group({**numbers, "params": tensors})
        elif not loaded:
            self._optimizer = self._made(tensors)
            if self._pending is not None:
                self._load(self._pending, tensors)
        self._tensors.update(made)
        self._pending, self._placeholders = None, []

    def _load(self, state: Any, tensors: list[torch.nn.Parameter]) -> None:
        group = state["param_groups"][0]
        if not group["params"]:  # saved before the parameters were known: nothing but numbers
            state = {**state, "param_groups": [{**group, "params": list(range(len(tensors)))}]}
        self._optimizer.load_state_dict(state)
        for group in self._optimizer.param_groups:
            group.update(self._later)

    def step(self, parameters: Iterable[Parameter]) -> None:
        given = list(parameters)
        self.build(given)
        for tensor in self._tensors.values():
            tensor.grad = None
        for parameter in given:
            tensor = self._tensors[parameter]
            tensor.data = torch.from_numpy(parameter.data)
            tensor.requires_grad_(parameter.trainable)
            tensor.grad = torch.from_numpy(parameter.grad) if parameter.trainable else None
        self._optimizer.step()

    # State --------------------------------------------------------------------------------------------

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what PyTorch keeps for each entry."""
        group = self._optimizer.param_groups[0]
        if self.name == "SGD" and not group["momentum"]:
            return ()
        more = () if self.name == "SGD" else tuple(slot for slot, switch in SWITCHED.items() if group.get(switch))
        return (*SLOTS.get(self.name, TWO_MOMENTS), *more)

    @property
    def state(self) -> dict[Parameter, dict[str, Array]]:
        """PyTorch's own slots."""
        return {
            parameter: {slot: state[slot].numpy() for slot in self.slots}
            for parameter, tensor in self._tensors.items()
            if (state := self._optimizer.state.get(tensor))
        }

    @property
    def steps(self) -> Callable[[Parameter], int]:
        """The steps that PyTorch has counted for a parameter; its SGD counts none."""
        if self.name == "SGD":
            raise AttributeError("steps")
        return self._steps

    def _steps(self, parameter: Parameter) -> int:
        tensor = self._tensors.get(parameter)
        return 0 if tensor is None else int(self._optimizer.state.get(tensor, {}).get("step", 0))

    def state_dict(self) -> dict[str, Any]:
        """Return what PyTorch's state_dict returns."""
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let PyTorch load it; where the parameters aren't known yet, for tensors that become theirs."""
        if self._tensors:
            self._optimizer.load_state_dict(state)
            return
        self._pending = state
        self._placeholders = [
            torch.nn.Parameter(torch.empty(0, dtype=self._dtype(state["state"].get(i, {}))))
            for i in state["param_groups"][0]["params"]
        ]
        if self._placeholders:
            self._optimizer = self._made(self._placeholders)
            self._optimizer.load_state_dict(state)

    def _dtype(self, state: dict[str, Any]) -> torch.dtype:
        """Return the dtype of a parameter with that state."""
        found = [state[slot].dtype for slot in self.slots if torch.is_tensor(state.get(slot))]
        return found[0] if found else torch.float64
