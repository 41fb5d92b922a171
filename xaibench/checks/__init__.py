"""The rules of the plugin contract, and what tries them: `xaibench check` and the tests."""
