"""Whether a file descriptor is ready, also in a process that has more than the 1,024 that select() knows."""

from __future__ import annotations

import select


def ready(descriptor: int, event: int, seconds: float) -> bool:
    """Wait so long for `select.POLLIN` or `select.POLLOUT`; the other end's going counts too: the next call will say so."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(seconds * 1000))
