"""Run in an environment that has Quantus: its scores of stored maps and masks, as JSON.

python quantus_peer.py MAPS.npz
"""

import json
import sys

import numpy as np
import quantus
import torch

stored = np.load(sys.argv[1])
maps, masks = stored["maps"][:, None], stored["masks"][:, None]
images = np.zeros((len(maps), 3, *maps.shape[2:]), np.float32)
labels = np.zeros(len(maps), int)
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(images[0].size, 2))
plain = {"normalize": False, "abs": False, "disable_warnings": True}
metrics = {
    "hit_rate": quantus.PointingGame(**plain),
    "mass_in_mask": quantus.RelevanceMassAccuracy(**plain),
    "rank_accuracy": quantus.RelevanceRankAccuracy(**plain),
    "top_k": quantus.TopKIntersection(k=int(masks[0].sum()), **plain),
    "sparseness": quantus.Sparseness(**plain),
    "entropy": quantus.Complexity(**plain),
}
# Some write into the maps that they are given.
values = {
    name: metric(network, images, labels, maps.copy(), masks.copy(), channel_first=True)
    for name, metric in metrics.items()
}
found = {name: [float(value) for value in row] for name, row in values.items()}
sys.stdout.write(json.dumps(found) + "\n")
