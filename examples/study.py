"""A study of one's own: three optimizers, each at a rate that suits it, three seeds, on two processes.

python examples/study.py

Stopped by Ctrl-C and started again, it goes on with what is missing.
"""

from minidl import Sequential, datasets, lab, layers


def net(seed: int) -> Sequential:
    """Return a new net, whose start is a function of the seed."""
    return Sequential(
        [layers.Input((2,)), layers.Dense(16, "relu"), layers.Dense(16, "relu"), layers.Dense(3, "softmax")], seed=seed
    )


def main() -> None:
    """Choose the rates on a validation part, then train, and print means over the seeds."""
    spirals = datasets.make_spirals(600, classes=3, noise=0.05, seed=0)
    data = lab.Data("three spirals", *spirals, *datasets.make_spirals(600, classes=3, noise=0.05, seed=1))
    cells = lab.grid(
        model=net,
        optimizer=["sgd", "momentum", "adam"],
        data=data,
        epochs=30,
        batch_size=20,
        seed=range(3),
    )
    tuning = lab.tune(cells, rates=[0.001, 0.01, 0.1, 1.0], folder="study", workers=2)
    print("learning rates:", tuning.rates)
    table = lab.Study(tuning.cells, "study").run(workers=2)
    print(table)
    for summary in table.summary("test_accuracy"):
        name = summary.settings["optimizer"]
        print(f"{name}: {summary.mean:.1%} ± {summary.interval:.1%} (95 % confidence)")
        if summary.mean < 0.8:
            raise SystemExit(f"{name}: too low")


if __name__ == "__main__":
    main()
