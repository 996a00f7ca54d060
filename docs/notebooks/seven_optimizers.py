# %% [markdown]
# # The seven optimizers, told by pictures
#
# An optimizer makes new weights w of old ones and their gradient g. Here are seven, one idea after the other, on
# surfaces in the plane where one can see them walk. η is the learning rate.

# %%
import numpy as np
from matplotlib import pyplot

from minidl import Sequential, callbacks, datasets, layers, optimizers, plotting, schedules, slices, surfaces


def show(surface, *names, **others):
    """Draw paths down a surface: of optimizers by name, at rates that suit the surface, or of others as they are."""
    walkers = {name: made for name, made in surface.optimizers().items() if name in names} | others
    ax = plotting.plot_trajectories(surface, surfaces.descend(surface, walkers, steps=200))
    ax.set_title(surface.name)
    pyplot.show()


# %% [markdown]
# ## 1. SGD: down the slope
#
# `w ← w − η g`. On a round bowl that leads straight down. A valley that is thirty times steeper across than along shows
# what is wrong with it: the rate must be small for the steep direction, and then the flat one takes for ever.

# %%
show(surfaces.BOWL, "sgd")
show(surfaces.VALLEY, "sgd")

# %% [markdown]
# At a smaller rate it creeps, at a larger one it jumps from wall to wall; beyond η = 2/30 it would leave the picture.

# %%
show(surfaces.VALLEY, creeps=optimizers.SGD(0.01), jumps=optimizers.SGD(0.066))

# %% [markdown]
# ## 2. Momentum: remember where you were going
#
# `v ← μ v + g; w ← w − η v`. What all gradients have in common adds up, to 1 / (1 − μ) times; what changes its sign at
# every step cancels out. It is a ball that rolls: fast along the valley, and beyond the minimum before it turns.

# %%
show(surfaces.VALLEY, "sgd", "momentum")

# %% [markdown]
# In its other form, `v ← μ v + (1 − μ) g`, the velocity is a moving average of gradients: the larger μ, the smoother,
# and the later. Divided by 1 − μᵗ it is corrected for having started at zero, as Adam does below.

# %%
noisy = 5 + np.sin(np.linspace(0, 6, 300)) + np.random.default_rng(0).normal(0, 0.4, 300)
plotting.plot_moving_averages(noisy, [0.9, 0.98])
pyplot.show()

# %% [markdown]
# ## 3. Nesterov: look ahead
#
# `v ← μ v + g; w ← w − η (g + μ v)`: a step as if the velocity's next one had been made already. So it brakes earlier.

# %%
show(surfaces.BEALE, "momentum", "nesterov")

# %% [markdown]
# ## 4. AdaGrad: a rate for each entry
#
# `G ← G + g²; w ← w − η g / (√G + ε)`. An entry whose gradients have been large gets small steps, so steep and flat
# directions become alike: look how straight it goes. But G only grows, and the steps only shrink.

# %%
show(surfaces.VALLEY, "sgd", "adagrad")

# %% [markdown]
# ## 5. RMSprop: forget
#
# `v ← ρ v + (1 − ρ) g²` in place of the sum: what was long ago doesn't count any more, and steps don't die out. Nor do
# they get small near the minimum: each is about η long, whatever the slope, so it ends in a jitter as wide as that.

# %%
show(surfaces.VALLEY, "adagrad", "rmsprop")

# %% [markdown]
# ## 6. AdaDelta: steps in the units of the weights
#
# It divides by the size of gradients, and multiplies by the size of its own last steps: `Δ = √(u + ε) / √(v + ε) · g`,
# `w ← w − η Δ`. At η = 1, as published, it starts very slowly, since its first steps are of the order of √ε.

# %%
show(surfaces.VALLEY, "adadelta", published=optimizers.AdaDelta(1.0))

# %% [markdown]
# ## 7. Adam: both
#
# The mean of gradients, as Momentum's, divided by their size, as RMSprop's, both corrected for their start at zero. Its
# first step is η long in every entry, whatever the gradient.

# %%
show(surfaces.ROSENBROCK, "momentum", "rmsprop", "adam")
show(surfaces.SADDLE, "sgd", "momentum", "rmsprop", "adam")

# %% [markdown]
# On the saddle's ridge the slope is nearly zero: there SGD waits. Who divides by the size of gradients doesn't care how
# small they are.
#
# ## On a net
#
# A real loss has more than two weights. Three optimizers train one net; we record its weights, and look at the plane
# through them that is nearest to all three paths.

# %%
x, y = datasets.make_moons(400, noise=0.15, seed=0)
histories, weights = {}, {}
for name, optimizer in {
    "SGD": optimizers.SGD(0.3),
    "Momentum": optimizers.Momentum(0.03),
    "Adam": optimizers.Adam(0.01),
}.items():
    hidden = [layers.Dense(16, "tanh"), layers.Dense(16, "tanh")]
    model, path = Sequential([layers.Input((2,)), *hidden, layers.Dense(1, "sigmoid")], seed=0), callbacks.WeightPath()
    model.compile(optimizer, "binary_crossentropy", ["accuracy"])
    histories[name] = model.fit(x, y[:, None], epochs=40, batch_size=20, callbacks=[path], verbose=0)
    weights[name] = path.weights

plane = slices.path_plane(weights)
paths = {name: plane.project(path) for name, path in weights.items()}
landscape = slices.loss_slice(model, x, y[:, None], plane, view=slices.around(list(paths.values())))
plotting.plot_trajectories(landscape, paths)
pyplot.show()

# %%
plotting.plot_curves(histories)
pyplot.show()

# %%
histories["Adam"]

# %% [markdown]
# ## What none of them does: end
#
# At a constant rate and with noisy gradients, each jitters around a minimum for ever. A rate that decays is the cure,
# for any of them:

# %%
cosine = schedules.CosineDecay(0.1, decay_steps=20, every="epoch")
plotting.plot_schedules(
    {
        "InverseTimeDecay": schedules.InverseTimeDecay(0.1, decay_rate=0.5),
        "CosineDecay": cosine,
        "Warmup": schedules.Warmup(cosine, warmup_steps=4, every="epoch"),
    },
    length=25,
)
pyplot.show()

# %% [markdown]
# Which is best? That wants several seeds, a rate tuned for each, and an honest look at the spread: [Compare
# optimizers](../how-to/compare.md).
