"""A dataset's samples, divided as the options say."""

from dataclasses import replace

from xaibench.core.data import Dataset, Sample
from xaibench.core.repeats import repetition_of
from xaibench.core.seeds import seed_of
from xaibench.core.splits import Split, make_split
from xaibench.results.splits import StoredSplits
from xaibench.setup.options import RunOptions


def limit_samples(
    samples: tuple[Sample, ...], apart: frozenset[str], count: int
) -> tuple[Sample, ...]:
    """Return the first so many samples of each class, and of each that stands apart; 0 keeps all.

    Of images that may show several classes it is the first that they show.
    """
    if not count:
        return samples
    kept: dict[tuple[int, bool], list[Sample]] = {}
    for sample in samples:
        kept.setdefault((sample.label, sample.id in apart), []).append(sample)
    chosen = {sample.id for group in kept.values() for sample in group[:count]}
    return tuple(sample for sample in samples if sample.id in chosen)


def divide_dataset(
    dataset: Dataset,
    options: RunOptions,
    name: str,
    stored: StoredSplits | None,
    fold: int,
    drawn: int,
) -> Split:
    """Divide all samples; what is apart is tested on alone.

    Args:
        dataset: what is divided.
        options: split seed, and shares of images and masks.
        name: of the split.
        stored: its parts, where they are known already.
        fold: which is tested, of all repetitions.
        drawn: the training seed that draws images and masks; 0 draws as all seeds once did.
    """
    samples, apart = dataset.samples, dataset.apart
    divided = [sample for sample in samples if sample.id not in apart]
    plain, place, division = repetition_of(name, fold, options.split_seed)
    if stored:
        parts = stored.parts(samples, dataset.classes, fold)
    else:
        whole = make_split(divided, plain, place, mask_fraction=0, seed=division)
        parts = whole.train, whole.validation, whole.test
    made = make_split(
        divided,
        plain,
        place,
        mask_fraction=options.mask_fraction,
        train_fraction=options.train_fraction,
        seed=seed_of(division, "draw", drawn) if drawn else division,
        divided=parts,
    )
    others = tuple(sample for sample in samples if sample.id in apart)
    return replace(made, test=others or made.test)
