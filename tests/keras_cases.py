"""What is trained alike in minidl.keras and in Keras: `k` is the one or the other."""

import numpy as np

import minidl

OPTIMIZERS = {
    "sgd": lambda k: "sgd",
    "sgd with momentum": lambda k: k.optimizers.SGD(0.05, momentum=0.9, clipnorm=0.1),
    "nesterov": lambda k: k.optimizers.SGD(0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop": lambda k: "rmsprop",
    "rmsprop with all": lambda k: k.optimizers.RMSprop(0.001, momentum=0.5, centered=True, global_clipnorm=1.0),
    "adagrad": lambda k: k.optimizers.Adagrad(0.05),
    "adadelta": lambda k: k.optimizers.Adadelta(1.0),
    "adam": lambda k: "adam",
    "adam by a schedule": lambda k: k.optimizers.Adam(k.optimizers.schedules.InverseTimeDecay(0.01, 20, 0.5)),
    "amsgrad": lambda k: k.optimizers.Adam(0.01, amsgrad=True, clipvalue=0.5),
    "adamw": lambda k: k.optimizers.AdamW(0.01),
    "adamax": lambda k: k.optimizers.Adamax(0.01),
    "nadam": lambda k: k.optimizers.Nadam(0.01),
    "lion": lambda k: k.optimizers.Lion(0.0005),
}


def curve(k, model, weights, x, y, epochs=20, **options):
    """Return the losses of the steps of a model that begins with these weights and goes through batches in order."""
    losses = []

    class Steps(k.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            losses.append((batch, logs["loss"]))

    model.set_weights(weights)
    history = model.fit(x, y, batch_size=10, epochs=epochs, shuffle=False, verbose=0, callbacks=[Steps()], **options)
    return [loss for _, loss in losses], history.history


def spirals(n=50):
    x, y = minidl.datasets.make_spirals(n, classes=3, noise=0.1, seed=0)
    return x.astype(np.float32), y


def dense_net(k):
    return k.Sequential(
        [k.Input((2,)), k.layers.Dense(16, "relu"), k.layers.Dense(8, "tanh"), k.layers.Dense(3, "softmax")]
    )


def start(model, seed=1):
    """Return the weights that a model begins with."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.5, weight.shape).astype(np.float32) for weight in model.get_weights()]
