"""Executors by name: ours, and those that installed packages bring."""

from xaibench.core.extensions import Extensions

EXECUTORS = Extensions(
    "--executor",
    "xaibench.executors",
    {name: f"xaibench.executors.{name}:{name}" for name in ("serial", "processes", "ray")},
)
"""Each is an `executors.schedule.Executor`."""
