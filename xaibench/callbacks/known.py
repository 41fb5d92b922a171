"""The names of callbacks."""

from xaibench.core.extensions import Extensions

CALLBACKS = Extensions(
    "--callbacks",
    "xaibench.callbacks",
    {
        "tensorboard": "xaibench.callbacks.tensorboard:TensorBoard",
        "mlflow": "xaibench.callbacks.mlflow:MLflow",
    },
)
"""Each is a class of `Callback`, whose keyword-only arguments are its options."""
