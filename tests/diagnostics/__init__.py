"""A package, as pytest would take its conftest for that of tests/pipeline."""
