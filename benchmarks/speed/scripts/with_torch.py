"""An epoch of Fashion-MNIST with PyTorch: with_torch.py DATA."""

import sys

import numpy as np
import torch
from torch import nn

data = np.load(sys.argv[1])
x, y = torch.from_numpy(data["x"].astype("float32") / 255), torch.from_numpy(data["y"])
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 100), nn.ReLU(), nn.Linear(100, 10))
optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
criterion = nn.CrossEntropyLoss()
for batch in torch.randperm(len(x)).split(20):
    optimizer.zero_grad()
    criterion(model(x[batch]), y[batch]).backward()
    optimizer.step()
print("trained", flush=True)
with torch.no_grad():
    print((model(x[:1000]).argmax(dim=1) == y[:1000]).float().mean().item())
