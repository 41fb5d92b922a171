"""The one walk over images: record a pass, ask every method, finish its maps, score them."""

import logging
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain

import torch
from torch import Tensor

from xaibench.core.contract import ATTENTION_WORDS, TRAINING_WORDS
from xaibench.core.passes.batching import BatchSize
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.passes.own_layer import reading
from xaibench.core.passes.tape import RECORDED_WORDS, Tape
from xaibench.core.plugin import Bound
from xaibench.core.progress import Bar
from xaibench.explaining.batch import ImageBatch, finish_maps
from xaibench.explaining.beside import Beside
from xaibench.explaining.evidence import Evidence, evidence_of
from xaibench.explaining.failures import PluginError, blaming, tell_failure
from xaibench.explaining.meter import Meter
from xaibench.explaining.questions import checked, question_for, record, words_of
from xaibench.explaining.score import Scorer
from xaibench.explaining.source import Explained, MapSource, join_parts

_log = logging.getLogger(__name__)


class Session(Beside):
    """A model that explains.

    A method's own failure ends the method's share alone, and so do metrics' failures; maps that
    aren't finite have a status. What is nobody's failure ends the walk: lack of memory, a full
    disk, an interruption, and mistakes of this package.
    """

    def __init__(self, engine: Engine, title: str, *, seed: int = 0) -> None:
        """Take a model.

        Args:
            engine: runs its passes.
            title: the model, for people.
            seed: of methods that draw random numbers.
        """
        self.engine, self.title, self.seed = engine, title, seed
        self._told: set[tuple[str, str]] = set()
        self.at_once = sys.maxsize
        """The most images that are explained together, whatever the batch."""

    @exact_float32()
    def walk(
        self, batches: Iterable[ImageBatch], sources: Sequence[MapSource], bar: Bar | None = None
    ) -> None:
        """Explain and score, batch by batch; each source takes what was found of its method.

        Args:
            batches: images with the classes to be explained.
            sources: of maps; those whose methods fail have a `MapSource.failure` then.
            bar: shows how many images are done.

        Raises:
            OutOfMemoryError: memory ran out.
            StorageError: the disk is full.
            XaibenchError: the model can't be recorded as the methods need it.
        """
        for batch in batches:
            found: defaultdict[MapSource, list[Explained]] = defaultdict(list)
            most = min(self.at_once, len(batch.ids))
            size = BatchSize.exactly(self.engine.device, most)
            do = partial(self._do, batch, sources, bar)
            # All at once, until memory runs out.
            for source, made in chain.from_iterable(size.over(len(batch.ids), do)):
                found[source].append(made)
            if size.size < most:
                self.at_once = size.size
            for source in sources:
                if not source.failure and source in found:
                    source.take(join_parts(batch, found[source]))

    def _do(
        self,
        whole: ImageBatch,
        sources: Sequence[MapSource],
        bar: Bar | None,
        first: int,
        last: int,
    ) -> list[tuple[MapSource, Explained]]:
        """Explain and score some rows of a batch; where memory runs out, nothing of it is kept.

        Raises:
            OutOfMemoryError: it did.
        """
        batch = whole.part(first, last)
        at, advance = (_nothing, _nothing) if bar is None else (bar.at, bar.advance)
        left = [source for source in sources if not source.failure]
        tapes = self._record(batch, [source for source in left if source.needs_maps])
        found: list[tuple[MapSource, Explained, dict[str, Evidence]]] = []
        step = len(batch.ids) / max(len(left), 1) / 2
        # All are explained before the first is scored, as they share passes then.
        for source in left:
            at(source.method.spec)
            try:
                made = self._explain(source, batch, tapes)
            except PluginError as error:
                self._fail(source, error)
            else:
                found.append((source, made, self._evidence(source, made)))
            advance(step)
        measured = []
        for source, _, evidence in found:
            at(f"{source.method.spec}: scores")
            measured.append(source.scorer.measure(evidence) if source.scorer is not None else {})
            advance(step)
        for (source, made, evidence), values in zip(found, measured, strict=True):
            if source.scorer is not None:
                made.scores = source.scorer.add(values, evidence)
                self._tell_failed_metrics(source.method, source.scorer)
        return [(source, made) for source, made, _ in found]

    def _record(self, batch: ImageBatch, sources: Sequence[MapSource]) -> dict[str, Tape]:
        """Run the pass that all methods share: one for each layer that methods read, by its name.

        Each is charged for it as if it were the only one.
        """
        tapes: dict[str, Tape] = {}
        for layer in dict.fromkeys(source.method.layer for source in sources):
            with reading(self.engine, layer):
                sharing = [source for source in sources if source.method.layer == layer]
                tapes[layer] = self._record_one(batch, sharing)
        return tapes

    def _record_one(self, batch: ImageBatch, sources: Sequence[MapSource]) -> Tape:
        words = words_of([source.method for source in sources])
        if batch.choose is not None:
            words |= {"logits"}
        metered = [(source.method, source.meter) for source in sources if source.meter is not None]
        if metered:
            words -= ATTENTION_WORDS  # each is charged for passes of its own
        shared = Meter(self.engine)
        with shared.measuring() if metered else nullcontext():
            tape = record(self.engine, words, batch.images)
        for method, meter in metered:
            if RECORDED_WORDS & set(method.plugin.signature.words):
                meter.add(shared)
        if batch.choose is not None:
            batch.targets = batch.choose(tape.logits[: len(batch.ids)].detach())
        return tape

    def _explain(
        self, source: MapSource, batch: ImageBatch, tapes: Mapping[str, Tape]
    ) -> Explained:
        """Return maps, as they are stored or by asking the method.

        Raises:
            PluginError: it failed, or returned something else.
        """
        if not source.needs_maps:
            return Explained(batch, {}, source.read(batch))
        method, raw, words = source.method, {}, source.method.plugin.signature.words
        tape, known = tapes[method.layer], self.known(method)  # at nobody's cost
        meter, whole = source.meter, "network" in words
        measuring = nullcontext() if meter is None else meter.measuring(whole_network=whole)
        self.engine.gap = None
        with reading(self.engine, method.layer), measuring:
            for kind in batch.targets:
                question = question_for(method, tape, batch, kind, self.seed, known)
                if len(question.rows):
                    with blaming(f"method {method.spec}", len(batch.ids)):
                        raw[kind] = checked(method, method(question), len(question.rows))
                else:
                    raw[kind] = torch.zeros(0, 1, 1, device=batch.images.device)
        return Explained(batch, raw, finish_maps(method, raw, batch), self.engine.gap)

    def _evidence(self, source: MapSource, found: Explained) -> dict[str, Evidence]:
        if source.scorer is None:
            return {}
        if not source.explains_again:
            return evidence_of(found.maps, found.batch, None, source.tuned)
        words = words_of(source.scorer.metrics)
        asked = (source.method, found.batch)
        return evidence_of(
            found.maps,
            found.batch,
            partial(self._explain_again, *asked),
            source.tuned,
            partial(self._explain_randomized, *asked),
            self.training if words & TRAINING_WORDS else None,
        )

    def _explain_again(
        self,
        method: Bound,
        batch: ImageBatch,
        kind: str,
        images: Tensor,
        classes: Tensor | None = None,
    ) -> Tensor:
        """Return a method's maps ``(B, H, W)`` of other images in the places of a batch's.

        Targets stay those of the batch unless other classes are given, masks and random numbers do.
        """
        batch = batch.unit(kind)
        targets = {kind: batch.targets[kind] if classes is None else classes}
        again = replace(
            batch,
            images=images,
            targets=targets,
            choose=None,
            together=defaultdict(list),
            whole=None,
        )
        source = MapSource(method, lambda _: None)
        return self._explain(source, again, self._record(again, [source])).maps[kind].values

    def _explain_randomized(self, method: Bound, batch: ImageBatch, kind: str) -> Tensor:
        """Return a method's maps ``(B, H, W)`` of a batch by the network with random weights."""
        return self.randomized._explain_again(method, batch, kind, batch.unit(kind).images)

    def _fail(self, source: MapSource, error: PluginError) -> None:
        tell_failure(source.method, self.title, error)
        source.fail(str(error), skips=error.skips)

    def _tell_failed_metrics(self, method: Bound, scorer: Scorer) -> None:
        for metric, error in scorer.failed.items():
            if (method.spec, metric) not in self._told:  # once, however many the batches
                self._told.add((method.spec, metric))
                _log.error("%s on %s: %s", method.spec, self.title, error)


def _nothing(_: object) -> None:
    pass
