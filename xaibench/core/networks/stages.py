"""A trunk cut where its resolution changes: what segmentation reads at several scales."""

from itertools import groupby

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import evaluating
from xaibench.core.networks.channels import channels_of

# Large enough for every trunk of torchvision's.
_LOOK = 224


def cut_stages(trunk: nn.Sequential, count: int) -> tuple[list[nn.Sequential], list[int]]:
    """Cut a trunk into stages that end at its last ``count`` resolutions.

    Each ends with the last part of its resolution, but where a resolution begins with a max pooling
    with that one, as VGG's stages do. Most trunks end at strides 8, 16 and 32.

    Args:
        trunk: a sequence; sequences in it are looked into, one level deep.
        count: number of stages.

    Returns:
        The stages, which give the trunk's output one behind the other, and their channels.

    Raises:
        XaibenchError: the trunk has fewer resolutions.
    """
    parts = [part for child in trunk for part in _opened(child)]
    shapes = _watch(parts)
    runs = [list(run) for _, run in groupby(range(len(parts)), key=lambda at: shapes[at][2:])]
    if len(runs) < count:
        raise XaibenchError(
            f"the backbone has {len(runs)} resolutions, and {count} are needed; take another, such "
            "as resnet50 or vgg16."
        )
    ends = [run[0] if isinstance(parts[run[0]], nn.MaxPool2d) else run[-1] for run in runs[-count:]]
    ends[-1] = len(parts) - 1
    starts = [0, *(end + 1 for end in ends[:-1])]
    stages = [
        nn.Sequential(*parts[start : end + 1]) for start, end in zip(starts, ends, strict=True)
    ]
    return stages, [shapes[end][1] for end in ends]


def _opened(part: nn.Module) -> list[nn.Module]:
    return list(part) if isinstance(part, nn.Sequential) else [part]


def _watch(parts: list[nn.Module]) -> list[torch.Size]:
    """Return the shape of each part's output."""
    seen: Tensor = torch.zeros(1, channels_of(nn.Sequential(*parts)), _LOOK, _LOOK)
    shapes: list[torch.Size] = []
    with torch.no_grad(), evaluating(nn.Sequential(*parts)):
        for part in parts:
            seen = part(seen)
            shapes.append(seen.shape)
    return shapes
