"""Training a model, and keeping it."""
