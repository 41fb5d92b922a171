"""Run in an environment that has Quantus: seconds per image of its four localization metrics.

python quantus_peer.py MAPS.npz ROUNDS
"""

import json
import statistics
import sys
import time

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
    "pointing": quantus.PointingGame(**plain),
    "mass": quantus.RelevanceMassAccuracy(**plain),
    "rank": quantus.RelevanceRankAccuracy(**plain),
    "top_k": quantus.TopKIntersection(**plain),
}
times, values = [], {}
for _ in range(int(sys.argv[2]) + 1):
    started = time.perf_counter()
    for name, metric in metrics.items():
        values[name] = metric(network, images, labels, maps, masks, channel_first=True)
    times.append(time.perf_counter() - started)
seconds = statistics.median(times[1:]) / len(maps)
print(json.dumps({"seconds": seconds, "mass": [float(value) for value in values["mass"]]}))
