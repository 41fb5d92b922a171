"""The pretend GPU itself: what it refuses, what it counts, and that nothing of it stays."""

import torch
from installing import installed
from torch import nn


def test_what_cuda_refuses_is_refused(machine):
    there, here = torch.ones(2, 3, device="cuda"), torch.ones(2, 3)
    refused = {
        "a sum of both": lambda: there + here,
        "a product of both": lambda: there @ here.T,
        "joined": lambda: torch.cat([there, here]),
        "two GPUs": lambda: there + there.to("cuda:1"),
        "in place": lambda: there.add_(here),
        "an index elsewhere": lambda: here[torch.tensor([0], device="cuda")],
        "numpy": there.numpy,
        "a generator of the CPU": lambda: torch.rand(2, device="cuda", generator=torch.Generator()),
        "a third GPU": lambda: torch.ones(1, device="cuda:2"),
        "a model there": lambda: nn.Linear(3, 1).cuda()(here),
    }
    taken = []
    for what, attempt in refused.items():
        try:
            attempt()
        except (RuntimeError, TypeError):
            continue
        taken.append(what)
    assert not taken
    # Single numbers and indices of the CPU are taken.
    assert (there * torch.tensor(2.0))[torch.tensor([1])].tolist() == [[2.0] * 3]


def test_gradients_and_steps_there_are_those_of_the_cpu(machine):
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(48, 2)
        )
        images = torch.rand(3, 3, 5, 6)
        network.to(device)
        optimizer = torch.optim.AdamW(network.parameters(), fused=device == "cuda")
        for _ in range(2):
            optimizer.zero_grad()
            network(images.to(device)).square().sum().backward()
            optimizer.step()
        found.append(torch.cat([p.detach().cpu().flatten() for p in network.parameters()]))
    torch.testing.assert_close(*found)


def test_waits_kernels_and_products_under_tf32_are_counted(machine):
    there = torch.ones(2, 3, device="cuda")
    machine.forget()
    total = (there * 2).sum()
    assert (machine.kernels.total(), machine.waits.total()) == (2, 0)
    assert [float(total), total.tolist(), bool(total > 1)] == [12.0, 12.0, True]
    assert machine.waits.total() == 3
    assert not machine.rounded
    torch.set_float32_matmul_precision("high")
    try:
        there @ there.T
        with torch.autocast("cuda", dtype=torch.bfloat16):
            assert (there @ there.T).dtype == torch.bfloat16
    finally:
        torch.set_float32_matmul_precision("highest")
    assert list(machine.rounded.values()) == [1]


def test_nothing_stays(machine):
    inside = dict(vars(torch.cuda))
    with installed(3) as other:
        assert torch.cuda.device_count() == other.gpus == 3
        assert torch.ones(1, device="cuda:2").is_cuda
    changed = [name for name, value in vars(torch.cuda).items() if value is not inside.get(name)]
    assert not changed
    assert torch.cuda.device_count() == machine.gpus == 2
