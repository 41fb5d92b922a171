"""Tables and sentences: Markdown, LaTeX, the terminal."""
