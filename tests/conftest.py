"""One thread for all: the tests' networks are too small to share out."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A script for another interpreter, where Quantus is installed.
collect_ignore = ["metrics/quantus_peer.py"]
