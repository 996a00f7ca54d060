# %% [markdown]
# # Write and prove your own optimizer
#
# We write a rule from a paper, let minidl look for what is wrong with it, state what must hold for it, plant a fault
# and see it found. The rule is *Signum* (Bernstein et al., signSGD, 2018, Algorithm 2): the sign of a moving average of
# gradients.

# %%
import numpy as np
from matplotlib import pyplot

from minidl import Sequential, datasets, layers, optimizers, plotting, surfaces, testing
from minidl.optimizers import laws


class Signum(optimizers.Optimizer):
    """v ← μ v + (1 − μ) g; w ← w − η sign(v)."""

    slots = ("v",)

    def __init__(self, learning_rate=0.01, momentum=0.9):
        super().__init__(learning_rate=learning_rate, momentum=momentum)

    @staticmethod
    def update(w, g, v, *, learning_rate, momentum):
        v = momentum * v + (1 - momentum) * g
        return w - learning_rate * np.sign(v), v


# %% [markdown]
# `update` is a pure function. The engine does the rest: the slot `v`, the step count, schedules, the update in place.
# Does it walk?

# %%
paths = surfaces.descend(surfaces.VALLEY, {"Signum": Signum(0.1), "Momentum": optimizers.Momentum(0.01)})
plotting.plot_trajectories(surfaces.VALLEY, paths)
pyplot.show()

# %% [markdown]
# Steps of one length, along the diagonals, and a jitter at the end: that is what a sign does.
#
# ## Is it right?

# %%
report = testing.check_optimizer(Signum, examples=20)
report

# %% [markdown]
# All that every rule must have holds, on drawn examples. The last lines say what isn't proven: any formula is a legal
# rule, and that it is *this* one only its author can say. In two ways.
#
# ## Laws
#
# Statements about the rule itself; the report has named some that seem to hold. We add those that single Signum out:
# along a constant gradient each step is η · sign(g), and one gradient followed by zeros is never forgotten.


# %%
class ProvenSignum(Signum):
    laws = (
        laws.SignSymmetric(),
        laws.Homogeneous(0),  # gradients of any size make the same steps
        laws.BoundedStep(),  # no entry moves farther than η
        laws.ConstantGradient(lambda g, t, **_: np.sign(g)),
        laws.Impulse(lambda g, t, *, momentum, **_: np.sign(g) * float(momentum > 0 or t == 1)),
    )


# %% [markdown]
# ## An oracle
#
# The same, calculated in another way: from the paper's sum, not from its recursion, in double precision.


# %%
def oracle(w, gradients, rates, *, momentum):
    for t, rate in enumerate(rates):
        v = sum((1 - momentum) * momentum ** (t - i) * g for i, g in enumerate(gradients[: t + 1]))
        w = w - rate * np.sign(v)
    return w


print(testing.check_optimizer(ProvenSignum, oracle=oracle, examples=20).summary)

# %% [markdown]
# ## Would a fault be found?
#
# A slip of the pen: the gradient's square, as in Adam's second mean, in place of the gradient.


# %%
class Faulty(ProvenSignum):
    @staticmethod
    def update(w, g, v, *, learning_rate, momentum):
        v = momentum * v + g * g  # meant: + (1 - momentum) * g
        return w - learning_rate * np.sign(v), v


found = testing.check_optimizer(Faulty, oracle=oracle, examples=20, raises=False)
print(found.summary)
for failure in found.failures[:3]:
    print(f"\n{failure.check}: {failure.meaning}\n{failure.detail}")

# %% [markdown]
# Each failure shows the smallest example that has it. To leave out the factor 1 − μ alone is no fault, by the way: `v`
# is ten times as large then, and has the same sign.
#
# ## Does it train?

# %%
(x, y), (x_test, y_test) = datasets.load_digits()
histories = {}
for name, optimizer in {"Signum": ProvenSignum(0.0003), "Adam": optimizers.Adam(0.001)}.items():
    model = Sequential([layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(10, "softmax")], seed=0)
    model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    histories[name] = model.fit(x / 16, y, epochs=15, validation_data=(x_test / 16, y_test), verbose=0)
plotting.plot_curves(histories, ["val_loss", "val_accuracy"])
pyplot.show()

# %% [markdown]
# One seed each, and rates from a guess: that shows that it works, not which is better. For that, see [Compare
# optimizers](../how-to/compare.md); for tests of your own in pytest, [Prove a rule](../proofs.md).
