"""A whole run: plan, tasks, tables."""
