"""One thread for all: the tests' networks are too small to share out."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
