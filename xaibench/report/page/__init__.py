"""The page that people read: one file that holds all it shows."""
