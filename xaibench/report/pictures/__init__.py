"""Figures, drawn without pyplot's state."""
