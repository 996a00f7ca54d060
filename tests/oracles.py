"""The published rules, each transcribed from its paper: out of place, in double precision, without minidl.

Each takes the values `w`, the list of the steps' `gradients`, the list of their learning `rates`, and
hyperparameters by minidl's names and with its defaults. It returns the values and the slots at the end.
"""

import numpy as np

__all__ = ["ORACLES"]


def sgd(w, gradients, rates):
    """Robbins, Monro, A stochastic approximation method, 1951, equation 8: x ← x − a (y − α), here for y − α = g."""
    for g, eta in zip(gradients, rates, strict=True):
        w = w - eta * g
    return (w,)


def momentum(w, gradients, rates, momentum=0.9, dampening=0.0, learning_rate_inside=False):
    """Polyak, Some methods of speeding up the convergence of iteration methods, 1964, equation 9."""
    v = np.zeros_like(w)
    for g, eta in zip(gradients, rates, strict=True):
        if learning_rate_inside:
            v = momentum * v + (1 - dampening) * eta * g
            w = w - v
        else:
            v = momentum * v + (1 - dampening) * g
            w = w - eta * v
    return w, v


def nesterov(w, gradients, rates, momentum=0.9, learning_rate_inside=False):
    """Bengio, Boulanger-Lewandowski, Pascanu, Advances in optimizing recurrent networks, 2013, equation 7."""
    v = np.zeros_like(w)
    for g, eta in zip(gradients, rates, strict=True):
        if learning_rate_inside:
            v = momentum * v + eta * g
            w = w - (eta * g + momentum * v)
        else:
            v = momentum * v + g
            w = w - eta * (g + momentum * v)
    return w, v


def lion(w, gradients, rates, beta_1=0.9, beta_2=0.99, weight_decay=0.0):
    """Chen et al., Symbolic discovery of optimization algorithms, 2023, Algorithm 2."""
    m = np.zeros_like(w)
    for g, eta in zip(gradients, rates, strict=True):
        direction = beta_1 * m + (1 - beta_1) * g
        w = w - eta * (np.sign(direction) + weight_decay * w)
        m = beta_2 * m + (1 - beta_2) * g
    return w, m


def adagrad(w, gradients, rates, initial_accumulator=0.0, epsilon=1e-8, epsilon_root=0.0):
    """Duchi, Hazan, Singer, Adaptive subgradient methods, 2011, equation 1 with the diagonal of G."""
    total = np.full_like(w, initial_accumulator)
    for g, eta in zip(gradients, rates, strict=True):
        total = total + g**2
        w = w - eta * g / (np.sqrt(total + epsilon_root) + epsilon)
    return w, total


def rmsprop(w, gradients, rates, rho=0.9, epsilon=1e-8, epsilon_root=0.0):
    """Tieleman, Hinton, Lecture 6.5 of Neural networks for machine learning, 2012, slide 29."""
    mean_square = np.zeros_like(w)
    for g, eta in zip(gradients, rates, strict=True):
        mean_square = rho * mean_square + (1 - rho) * g**2
        w = w - eta * g / (np.sqrt(mean_square + epsilon_root) + epsilon)
    return w, mean_square


def rmsprop_momentum(w, gradients, rates, rho=0.9, momentum=0.9, epsilon=1e-8, epsilon_root=0.0):
    """Tieleman, Hinton, Lecture 6.5, 2012, slide 29, with Graves's velocity (2013, the equation of his Δ)."""
    mean_square, delta = np.zeros_like(w), np.zeros_like(w)
    for g, eta in zip(gradients, rates, strict=True):
        mean_square = rho * mean_square + (1 - rho) * g**2
        delta = momentum * delta - eta * g / (np.sqrt(mean_square + epsilon_root) + epsilon)
        w = w + delta
    return w, mean_square, -delta


def centered_rmsprop(w, gradients, rates, rho=0.95, momentum=0.9, epsilon=0.0, epsilon_root=1e-4):
    """Graves, Generating sequences with recurrent neural networks, 2013, equations 38 to 45."""
    n, mean, delta = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for g, eta in zip(gradients, rates, strict=True):
        n = rho * n + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        delta = momentum * delta - eta * g / (np.sqrt(n - mean**2 + epsilon_root) + epsilon)
        w = w + delta
    return w, n, mean, -delta


def adadelta(w, gradients, rates, rho=0.95, epsilon=1e-6):
    """Zeiler, ADADELTA: an adaptive learning rate method, 2012, Algorithm 1; its own rate is 1."""
    squares, moves = np.zeros_like(w), np.zeros_like(w)
    for g, eta in zip(gradients, rates, strict=True):
        squares = rho * squares + (1 - rho) * g**2
        move = -np.sqrt(moves + epsilon) / np.sqrt(squares + epsilon) * g
        moves = rho * moves + (1 - rho) * move**2
        w = w + eta * move
    return w, squares, moves


def adam(w, gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_root=0.0):
    """Kingma, Ba, Adam: a method for stochastic optimization, 2015, Algorithm 1."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (g, alpha) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat = m / (1 - beta_1**t)
        v_hat = v / (1 - beta_2**t)
        w = w - alpha * m_hat / (np.sqrt(v_hat + epsilon_root) + epsilon)
    return w, m, v


def adamw(w, gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_root=0.0, weight_decay=0.01):
    """Loshchilov, Hutter, Decoupled weight decay regularization, 2019, Algorithm 2; its schedule η_t is the rate."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat = m / (1 - beta_1**t)
        v_hat = v / (1 - beta_2**t)
        w = w - eta * (m_hat / (np.sqrt(v_hat + epsilon_root) + epsilon) + weight_decay * w)
    return w, m, v


def amsgrad(w, gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_root=0.0, bias_correction=False):
    """Reddi, Kale, Kumar, On the convergence of Adam and beyond, 2018, Algorithm 2; corrected as PyTorch does."""
    m, v, v_max = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, (g, alpha) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        v_max = np.maximum(v_max, v)
        if bias_correction:
            step = (m / (1 - beta_1**t)) / (np.sqrt(v_max / (1 - beta_2**t) + epsilon_root) + epsilon)
        else:
            step = m / (np.sqrt(v_max + epsilon_root) + epsilon)
        w = w - alpha * step
    return w, m, v, v_max


def nadam(w, gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_root=0.0, momentum_decay=0.004):
    """Dozat, Incorporating Nesterov momentum into Adam, 2016, Algorithm 2, without its second β₂ in v̂."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    mu = [beta_1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in range(1, len(gradients) + 2)]
    for t, (g, alpha) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat = m / (1 - np.prod(mu[: t + 1]))
        g_hat = g / (1 - np.prod(mu[:t]))
        v_hat = v / (1 - beta_2**t)
        m_bar = mu[t] * m_hat + (1 - mu[t - 1]) * g_hat
        w = w - alpha * m_bar / (np.sqrt(v_hat + epsilon_root) + epsilon)
    return w, m, v


def adamax(w, gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_max=0.0):
    """Kingma, Ba, Adam: a method for stochastic optimization, 2015, Algorithm 2."""
    m, u = np.zeros_like(w), np.zeros_like(w)
    for t, (g, alpha) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        u = np.maximum(beta_2 * u, np.abs(g) + epsilon_max)
        w = w - (alpha / (1 - beta_1**t)) * m / (u + epsilon)
    return w, m, u


def lamb(w, gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-6, epsilon_root=0.0, weight_decay=0.01):
    """You et al., Large batch optimization for deep learning, 2020, Algorithm 2 with φ(z) = z; 1 at norms of 0."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        r = (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t) + epsilon_root) + epsilon) + weight_decay * w
        of_w, of_r = np.sqrt(np.sum(w**2)), np.sqrt(np.sum(r**2))
        ratio = 1.0 if of_w == 0 or of_r == 0 else of_w / of_r
        w = w - eta * ratio * r
    return w, m, v


ORACLES = {
    "SGD": sgd,
    "Momentum": momentum,
    "Nesterov": nesterov,
    "Lion": lion,
    "AdaGrad": adagrad,
    "RMSprop": rmsprop,
    "RMSpropMomentum": rmsprop_momentum,
    "CenteredRMSprop": centered_rmsprop,
    "AdaDelta": adadelta,
    "Adam": adam,
    "AdamW": adamw,
    "AMSGrad": amsgrad,
    "Nadam": nadam,
    "Adamax": adamax,
    "LAMB": lamb,
}
