"""From score rows to tables and pictures."""
