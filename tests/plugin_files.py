"""Plugins of files that tests have loaded."""

from xaibench.core import registry
from xaibench.core.contract import KINDS


def forget_plugin_files():
    """Take them out of the registry, so that no other test meets them."""
    for kind in KINDS:
        for name, plugin in list(registry._plugins[kind].items()):
            if plugin.file.resolve() in registry._loaded_files:
                del registry._plugins[kind][name]
    registry._loaded_files.clear()
