"""Commands in a real terminal."""

import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

WIDTH = 80


def on_a_terminal(folder, *command):
    """Run in a real terminal of `WIDTH` columns; return the exit code and all that it wrote."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, stdin=slave, stdout=slave, stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "DAWDLE": "0.3"},
    )  # fmt: skip
    os.close(slave)
    written = b""
    try:
        while part := os.read(master, 65536):
            written += part
    except OSError:  # a terminal ends so when its last user has left
        os.close(master)
    return process.wait(60), written.decode()
