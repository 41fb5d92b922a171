"""Benchmark saliency methods: train, explain, score, compare."""

__version__ = "0.1.0"
