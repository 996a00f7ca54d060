"""Every loss that PyTorch has too, value and gradient, against PyTorch in double precision."""

import numpy as np
import pytest

from minidl import functions, losses

torch = pytest.importorskip("torch")
F = torch.nn.functional
C = 4  # classes


def classes_second(z):
    """Return predictions as PyTorch wants them: with the classes as axis 1."""
    return z.movedim(-1, 1)


# The loss, how its targets and predictions are drawn, and the same by PyTorch's functions; reductions are those over
# all entries unless told otherwise.
CASES = {
    "mse": (losses.MeanSquaredError(), "real real", F.mse_loss),
    "mae": (losses.MeanAbsoluteError(), "real real", F.l1_loss),
    "huber": (losses.Huber(), "real real", F.huber_loss),
    "huber 0.3": (losses.Huber(0.3), "real real", lambda p, y: F.huber_loss(p, y, delta=0.3)),
    "smooth l1": (losses.Huber(0.3), "real real", lambda p, y: 0.3 * F.smooth_l1_loss(p, y, beta=0.3)),
    "bce": (losses.BinaryCrossentropy(), "unit unit", F.binary_cross_entropy),
    "bce smoothed": (
        losses.BinaryCrossentropy(label_smoothing=0.2),
        "unit unit",
        lambda p, y: F.binary_cross_entropy(p, 0.8 * y + 0.1),
    ),
    "bce logits": (losses.BinaryCrossentropy(True), "unit real", F.binary_cross_entropy_with_logits),
    "categorical": (
        losses.CategoricalCrossentropy(True),
        "row real",
        lambda z, y: F.cross_entropy(classes_second(z), classes_second(y)),
    ),
    "categorical smoothed": (
        losses.CategoricalCrossentropy(True, 0.2),
        "row real",
        lambda z, y: F.cross_entropy(classes_second(z), classes_second(y), label_smoothing=0.2),
    ),
    "categorical from p": (
        losses.CategoricalCrossentropy(label_smoothing=0.2),
        "row row",
        lambda p, y: -((0.8 * y + 0.2 / C) * p.log()).sum(-1).mean(),  # cross_entropy would divide p by its sum
    ),
    "sparse": (
        losses.SparseCategoricalCrossentropy(True),
        "label real",
        lambda z, y: F.cross_entropy(classes_second(z), y),
    ),
    "sparse smoothed": (
        losses.SparseCategoricalCrossentropy(True, 0.2),
        "label real",
        lambda z, y: F.cross_entropy(classes_second(z), y, label_smoothing=0.2),
    ),
    "sparse from p": (
        losses.SparseCategoricalCrossentropy(),
        "label row",
        lambda p, y: F.nll_loss(classes_second(p.log()), y),
    ),
    "kl": (losses.KLDivergence(), "row row", lambda p, y: C * F.kl_div(p.log(), y)),
    "kl logits": (losses.KLDivergence().on_logits(), "row real", lambda z, y: C * F.kl_div(z.log_softmax(-1), y)),
    "poisson": (
        losses.Poisson(),
        "count positive",
        lambda p, y: F.poisson_nll_loss(p, y, log_input=False, eps=0),
    ),
    "cosine": (losses.CosineSimilarity(), "real real", lambda p, y: -F.cosine_similarity(p, y, dim=-1).mean()),
    "cosine along 1": (losses.CosineSimilarity(1), "real real", lambda p, y: -F.cosine_similarity(p, y).mean()),
}
DRAW = {
    "real": lambda rng, shape: rng.normal(size=shape, scale=2),
    "unit": lambda rng, shape: rng.uniform(0.01, 0.99, shape),
    "row": lambda rng, shape: functions.softmax(rng.normal(size=shape)),
    "label": lambda rng, shape: rng.integers(C, size=shape[:-1]),
    "count": lambda rng, shape: rng.poisson(2.0, shape).astype(float),
    "positive": lambda rng, shape: rng.uniform(0.1, 5, shape),
}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # of kl_div, by the classes too
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(6, C), (1, C), (3, 5, C)], ids=str)
def test_value_and_gradient_are_those_of_pytorch(name, shape):
    loss, draws, theirs = CASES[name]
    rng = np.random.default_rng(len(name))
    y_true, y_pred = (DRAW[kind](rng, shape) for kind in draws.split())
    p = torch.tensor(y_pred, requires_grad=True)
    expected = theirs(p, torch.tensor(y_true))
    expected.backward()
    value, gradient = loss.value_and_gradient(y_true, y_pred)
    assert value == pytest.approx(expected.item(), rel=1e-9)
    slopes = p.grad.numpy()
    np.testing.assert_allclose(gradient, slopes, rtol=1e-9, atol=1e-12 * np.abs(slopes).max())


@pytest.mark.parametrize("name", ["bce logits", "categorical smoothed", "sparse", "huber", "poisson"])
def test_a_weighted_loss_is_the_weighted_mean_of_single_ones(name):
    loss, draws, theirs = CASES[name]
    rng = np.random.default_rng(0)
    y_true, y_pred = (DRAW[kind](rng, (6, C)) for kind in draws.split())
    weight = rng.uniform(0.5, 2, 6)
    p = torch.tensor(y_pred, requires_grad=True)
    each = [theirs(p[i : i + 1], torch.tensor(y_true[i : i + 1])) for i in range(6)]
    expected = sum(w * value for w, value in zip(weight, each, strict=True)) / weight.sum()
    expected.backward()
    value, gradient = loss.value_and_gradient(y_true, y_pred, weight)
    assert value == pytest.approx(expected.item(), rel=1e-9)
    np.testing.assert_allclose(gradient, p.grad.numpy(), rtol=1e-9, atol=1e-14)
