"""What the processor can compute in half precision by instructions of its own."""

from collections.abc import Mapping

import torch

from xaibench.core.errors import XaibenchError

# As `torch.cpu.get_capabilities` names them, of x86 and of Arm.
_INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "bf16": ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16"),
    "fp16": ("avx512_fp16", "amx_fp16", "avx10_2", "fp16_arith"),
}


def refuse_slow_half(precision: str, option: str) -> None:
    """Refuse half precision that this processor would emulate, ten times as slowly as float32.

    Where torch can't tell what the processor has, nothing is refused.

    Raises:
        XaibenchError: it has no instructions for it.
    """
    wanted = _INSTRUCTIONS.get(precision, ())
    known = _capabilities() if wanted else {}
    if known and not any(known.get(name) for name in wanted):
        raise XaibenchError(
            f"{option} {precision}: this processor ({known.get('cpu_name', 'unknown')}) has no "
            "instructions for it, so that it would be slower than fp32; take fp32."
        )


def _capabilities() -> Mapping[str, object]:
    ask = getattr(torch.cpu, "get_capabilities", None)  # from torch 2.10
    return ask() if ask else {}
