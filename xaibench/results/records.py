"""Records of what is done: JSON files that carry a schema number and their own checksum."""

SCHEMA = 2
"""Of the records that are written now; those from before there were numbers have none."""
