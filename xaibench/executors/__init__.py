"""Executors: how the tasks of a run are worked off; they know nothing of models or cells."""
