"""One file, one command, or a few that belong together."""
