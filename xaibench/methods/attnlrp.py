"""AttnLRP: relevance passed back through a transformer, attention included."""

from collections.abc import Callable

from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.registry import method


@method(
    paper="achtibat2024attnlrp", family="attention", sign="none", title="AttnLRP",
    needs={"attention"},
)  # fmt: skip
def attnlrp(
    images: Tensor, differentiate: Callable[..., Tensor], *, part: Polarity = "positive"
) -> Tensor:
    """Return sum_c x * g, g the gradient of the target's logit under AttnLRP's rules, (B, H, W).

    Linear layers follow the epsilon rule at epsilon = 0, without the gamma rule that the paper adds
    for vision transformers.

    Options:
        part: the part of the signed sum that is kept.
    """
    return fold_channels(images * differentiate(images, attnlrp=True), part)
