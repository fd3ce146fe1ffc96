"""Ports for servers that are stopped and started again on the same port."""

import random
import socket

__all__ = ["stable_port"]

# Below the ephemeral range of Linux (from 32768) and macOS (from 49152): between a stop and the next start no
# outgoing connection is given this port as its own, not even one that tries to reach it.
_FIRST, _LAST = 20_000, 32_000


def stable_port() -> int:
    """Return a port on 127.0.0.1 that is free now and is not handed out to outgoing connections."""
    while True:
        port = random.randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
