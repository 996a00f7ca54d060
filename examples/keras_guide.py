"""What Keras's guide to Sequential shows, one thing after the other: only the imports were changed.

python examples/keras_guide.py
"""

import numpy as np

from minidl import keras
from minidl.keras import layers, ops


def main() -> None:
    """Build, look, take apart, read features, freeze and train."""
    model = keras.Sequential(
        [
            layers.Dense(2, activation="relu", name="layer1"),
            layers.Dense(3, activation="relu", name="layer2"),
            layers.Dense(4, name="layer3"),
        ]
    )
    print("Output:", model(ops.ones((3, 3))).shape, "and", len(model.weights), "weights")
    dense = layers.Dense(3)
    assert dense.weights == []
    dense(ops.ones((1, 4)))
    print("A layer that was called:", [weight.shape for weight in dense.weights])
    model.pop()
    assert len(model.layers) == 2

    images = keras.Sequential(name="images")
    images.add(keras.Input(shape=(64, 64, 3)))
    images.add(layers.Conv2D(8, 5, strides=2, activation="relu"))
    images.add(layers.Conv2D(8, 3, activation="relu", name="in_the_middle"))
    images.add(layers.MaxPooling2D(3))
    images.add(layers.GlobalMaxPooling2D())
    images.add(layers.Dense(10))
    images.summary()
    extractor = keras.Model(inputs=images.inputs, outputs=[layer.output for layer in images.layers])
    print("Features:", [feature.shape for feature in extractor(ops.ones((1, 64, 64, 3)))])
    middle = keras.Model(inputs=images.inputs, outputs=images.get_layer(name="in_the_middle").output)
    assert middle(ops.ones((1, 64, 64, 3))).shape == (1, 28, 28, 8)

    for layer in images.layers[:-1]:
        layer.trainable = False
    images.compile("adam", loss=keras.losses.MeanSquaredError(), metrics=["mae"])
    x, y = np.random.default_rng(0).random((16, 64, 64, 3)), np.ones((16, 10))
    kernel = images.layers[0].get_weights()[0]
    history = images.fit(x, y, epochs=20, verbose=0)
    assert np.array_equal(images.layers[0].get_weights()[0], kernel)
    print(f"Loss: {history.history['loss'][0]:.3f}, then {history.history['loss'][-1]:.3f}")
    if not history.history["loss"][-1] < 0.95 * history.history["loss"][0]:
        raise SystemExit("it doesn't learn")


if __name__ == "__main__":
    main()
