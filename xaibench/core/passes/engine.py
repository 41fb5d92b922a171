"""Every pass of explaining and scoring: batched, in bounded memory, at the chosen precision."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, get_args

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model
from xaibench.core.passes.acceptance import accept
from xaibench.core.passes.attnlrp_rules import AttnLRP
from xaibench.core.passes.batching import BatchSize
from xaibench.core.passes.compiling import compile_network, eagerly
from xaibench.core.passes.cuts import refuse_cuts
from xaibench.core.passes.device import backward_in, check_tf32, forward_in
from xaibench.core.passes.differences import find_multipliers
from xaibench.core.passes.differentiate import gradient_by
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.passes.folding import fold_batch_norms
from xaibench.core.passes.opaque import refuse_opaque
from xaibench.core.passes.precision import at_least_single
from xaibench.core.passes.rules import guide

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
# 16 images of 224 x 224: on the CPU more gain nothing. Smaller images get proportionally more.
_PIXELS = 16 * 224 * 224
# A pass that keeps its graph holds every layer's output.
_PIXELS_WITH_GRAPH = _PIXELS // 2


class Engine:
    """A trained model, ready for many passes. The model itself is never changed.

    Passes run on a copy with folded batch norms, which rounds otherwise: gradients by the image
    differ by what float32 differs from float64 anyway (docs/speed.md).
    """

    def __init__(
        self,
        model: Model,
        *,
        precision: Precision = "fp32",
        fold: bool = True,
        full_blocks: bool = True,
        compiled: bool = False,
    ) -> None:
        """Take a model in evaluation mode.

        Args:
            model: left as it is.
            precision: of the networks' passes; maps and confidences come out in float32, or as the
                model's in float64.
            fold: fold batch norms into convolutions.
            full_blocks: fill every pass up, so that an image's results are the same bits in any
                batch; without it they are equal but for rounding, and a single image costs one.
            compiled: run passes without a graph through ``torch.compile``; it pays for long work.

        Raises:
            XaibenchError: there is no such precision, or no TF32 on the model's device.
        """
        if precision not in get_args(Precision):
            raise XaibenchError(
                f"precision {precision!r}: choose one of {', '.join(get_args(Precision))}."
            )
        self.model, self.precision = model, precision
        self.full_blocks, self._compile = full_blocks, compiled
        self._compiled: dict[torch.Size, Callable[[Tensor], Tensor]] = {}
        self.device = next((t.device for t in model.parameters()), torch.device("cpu"))
        self.folded: Model | None = None if fold else model
        check_tf32(self.device, precision, "precision")
        self._batch_sizes: dict[tuple[int, bool], BatchSize] = {}
        self.seen = 0
        """Images that went through the network so far, those that fill a pass up not counted."""
        self.spared_passes, self.spared_seconds = 0, 0.0
        """What answers would have cost that were there already, as another method had asked."""
        self.gap: float | None = None
        """The largest share of a promised sum that attributions missed, None before any promise."""

    def fast(self, images: Tensor) -> Model:
        """Return the network that passes run on, made at the first call."""
        if self.model.output_form is None:
            accept(self.model, images, dependent=True)  # plans have refused that
        if self.folded is None:
            # Not the images themselves: the decision must not depend on who comes first.
            noise = torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(0))
            with torch.inference_mode(mode=False):
                self.folded = fold_batch_norms(self.model, noise[None].to(images))
        return self.folded

    def logits(self, images: Tensor) -> Tensor:
        """Return logits ``(B, K)``, the same bits whatever the batch on the CPU."""
        return self.stream(lambda first, last: images[first:last], len(images), images)

    def predict(self, images: Tensor) -> Tensor:
        """Return confidences ``(B, K)``."""
        return self.model.confidences(self.logits(images))

    @exact_float32()
    def stream(self, make: Callable[[int, int], Tensor], count: int, like: Tensor) -> Tensor:
        """Return the logits ``(count, K)`` of images that are made, seen and dropped in parts.

        Args:
            make: ``make(first, last)`` gives the images ``(last - first, C, H, W)`` of those
                numbers; where memory runs out it is asked again for fewer.
            count: number of images.
            like: images of the same size.
        """
        network = self.fast(like)
        size = self.batch_size(like)

        def look(first: int, last: int) -> Tensor:
            with torch.inference_mode(), self.casting():
                images = size.fill(_channels_last(make(first, last)), whole=self._compile)
                run = self._run_compiled if self._compile else Model.__call__
                logits: Tensor = run(network, images)
            self.seen += last - first
            return at_least_single(logits[: last - first])

        return torch.cat(list(size.over(count, look)))

    def _run_compiled(self, network: Model, images: Tensor) -> Tensor:
        """Run what was compiled for one size of batch: the last one is filled up to it."""
        # What is compiled for normal tensors would be compiled again for those of inference mode.
        with (
            torch.inference_mode(mode=False),
            torch.no_grad(),
            torch.compiler.set_stance("default"),
        ):
            images = images.clone()
            if images.shape not in self._compiled:
                self._compiled[images.shape] = compile_network(network, images)
            return self._compiled[images.shape](images)

    def note_gaps(self, found: Tensor) -> None:
        """Take down by which shares ``(B,)`` attributions miss what they promise."""
        if len(known := found[found.isfinite()]):
            self.gap = max(self.gap or 0.0, float(known.max()))

    @exact_float32()
    def gradients(
        self, images: Tensor, targets: Tensor, *, guided: bool = False, attnlrp: bool = False
    ) -> Tensor:
        """Return d logit[target] / d images, ``(B, C, H, W)``.

        Args:
            images: ``(B, C, H, W)``.
            targets: ``(B,)``.
            guided: ReLUs pass on only positive gradients.
            attnlrp: gradients follow AttnLRP's rules.

        Raises:
            XaibenchError: it is guided, and the network's ReLUs can't be told; or gradients don't
                reach all that the logits depend on.
        """
        network = self.fast(images)
        if guided:
            refuse_opaque(network)

        def derive(first: int, last: int) -> Tensor:
            with AttnLRP() if attnlrp else nullcontext():
                leaves, chosen = self.graph(network, images[first:last], targets[first:last])
            if guided:
                guide(chosen)
            with self.deriving():
                return gradient_by(leaves, chosen)[: last - first]

        found = torch.cat(list(self.batch_size(images, graph=True).over(len(images), derive)))
        refuse_cuts(self.model, images)
        return found

    def multipliers(self, images: Tensor, starts: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return DeepLIFT's multipliers ``(B, C, H, W)``, and the logits' changes ``(B,)``.

        Raises:
            XaibenchError: an operation of the network has no rule.
        """
        network = self.fast(images)
        refuse_opaque(network)
        pair = _channels_last(images), _channels_last(starts)
        return self.compare(images, pair, targets, lambda _, given: network(given))

    @exact_float32()
    def compare(
        self,
        images: Tensor,
        pair: tuple[Tensor, Tensor],
        targets: Tensor,
        run: Callable[[Tensor, Tensor], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Return the multipliers of what is in the places of images, and the changes ``(B,)``.

        Args:
            images: ``(B, C, H, W)``.
            pair: what is compared, and with what, ``(B, ...)`` each.
            targets: ``(B,)``.
            run: images of a batch and what is in their places -> logits.
        """

        def derive(first: int, last: int) -> tuple[Tensor, Tensor]:
            size, rows = self.batch_size(images, graph=True), slice(first, last)
            filled = size.fill(images[rows])
            ours, theirs = (size.fill(each[rows]).clone() for each in pair)

            def answer(given: Tensor) -> Tensor:
                with self.casting():
                    return at_least_single(run(filled, given))

            with torch.inference_mode(mode=False):
                found, change = find_multipliers(answer, ours, theirs, targets[rows])
            self.seen += 2 * (last - first)
            return found[: last - first], change[: last - first]

        parts = list(self.batch_size(images, graph=True).over(len(images), derive))
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    @exact_float32()
    def graph(self, network: Model, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Run a network with a graph: the leaves, and the sum of the targets' logits."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            size = self.batch_size(images, graph=True)
            leaves = size.fill(_channels_last(images.detach())).clone().requires_grad_()
            with self.casting():
                logits = network(leaves)
            self.seen += len(images)
            chosen = at_least_single(logits[: len(images)]).gather(1, targets[:, None])
            return leaves, chosen.sum()

    @contextmanager
    def casting(self) -> Iterator[None]:
        """Give the context in which the network runs: at its precision, and as it is written."""
        with forward_in(self.precision, self.device), eagerly():
            yield

    def deriving(self) -> AbstractContextManager[object]:
        """Give the context of a plain derivative of such passes; rules that add up are exact."""
        return backward_in(self.precision)

    def batch_size(self, images: Tensor, *, graph: bool = False) -> BatchSize:
        """Return the size of a pass over such images, with a graph or without, found and kept."""
        key = images.shape[2:].numel(), graph
        if key not in self._batch_sizes:
            fitting = (_PIXELS_WITH_GRAPH if graph else _PIXELS) // key[0]
            self._batch_sizes[key] = BatchSize(self.device, fitting, full_blocks=self.full_blocks)
        return self._batch_sizes[key]


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
