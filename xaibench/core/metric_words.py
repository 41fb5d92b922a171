"""The words of metrics: what one may ask for by naming its positional arguments."""

METRIC_WORDS = {
    "maps": "(B, H, W) in [0, 1], higher is more relevant",
    "masks": "(B, H, W) int8 relevance grades",
    "tuned_threshold": "share of the maximum at which the method's mean IoU is best on validation "
    "images whose masks may be seen",
    "images": "(B, C, H, W) in [0, 1]",
    "targets": "(B,) classes explained",
    "predict": "callable: images -> confidences (B, K)",
    "respond": "callable: images -> logits (B, K)",
    "explain": "callable: (images (B, C, H, W) in the places of the batch's, classes (B,)) -> maps "
    "(B, H, W) of the same method; of the same targets where no classes are given",
    "explain_randomized": "callable: () -> maps (B, H, W) of the same method, images and classes "
    "by the network with random weights in all its layers",
    "training_images": "(N, C, H, W) in [0, 1], read by rows: training_images[rows]; len() is N",
    "training_labels": "(N,) their classes",
    "confidence": "(B,) confidence of the target on the untouched images",
    "found": "(B,) whether the model finds the target in the untouched images: its confidence "
    "reaches the threshold of its class, or where images have one label, is the highest",
    "other_classes": "(B,) how many other classes the image shows; 0 where images have one label",
    "generator": "random numbers, seeded for each sample, the same for all methods",
    "covered_confidence": "callable: (covered, by, baseline) -> (B,) confidence of the target on "
    "images covered under the map; passes are shared by all metrics",
}
# These only a run on a dataset can serve, which has more than maps.
RUN_WORDS = frozenset({
    "explain", "explain_randomized", "training_images", "training_labels", "tuned_threshold",
    "found", "other_classes",
})  # fmt: skip
# These a classifier must serve: the model itself, or the one that judges it.
JUDGED_WORDS = frozenset({"predict", "respond", "confidence", "covered_confidence", "found"})
