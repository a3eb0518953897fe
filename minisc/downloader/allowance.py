"""How many requests an hour: the archive's sliding log, kept on our side so that it is used up and never overrun.

The server (Django REST framework's SimpleRateThrottle) logs each accepted request and forgets it exactly one window later; it
accepts while fewer than `limit` are logged. So a slot that was used at t is free at t + window, not at the full hour.
In: the times of our own requests and what each answer's headers said. Out: how long to wait before the next request.
Rules: a request holds its slot from when it leaves until a window after its answer came (the server logged it somewhere between);
beyond `burst` of the limit at once, requests are spread evenly; what others use of the same allowance is read off the headers; at
`remaining` 0, nothing leaves before the server's own reset; a refusal (429) stops everything until the time that it names.
Guarantees: with a right clock rate and nobody else on the allowance there is no refusal, and all but latency/window of it is used.
Pure: no clock, no sleep, no network; times are seconds of any steady clock. `Log` keeps it over restarts.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Sequence
from pathlib import Path

MARGIN = 0.5  # seconds that a slot is held longer than it must: clocks of two machines drift by 0.2 s an hour (50 ppm)


class Allowance:
    """One scope of one owner (a token, or an address). Call `wait` until it is 0, then `sent`, then one of `answered`, `refused`, `failed`."""

    def __init__(self, limit: int, window: float, burst: float, held_until: Sequence[float] = ()) -> None:
        assert limit > 0 and window > 0 and 0 <= burst <= 1
        self.limit, self.window = limit, window
        self._busy: deque[float] = deque(sorted(held_until))  # when each slot that we used is free again
        self._flying = 0
        self._others, self._others_until = 0, 0.0  # slots that somebody else uses, as of the last answer, and when the next is free
        self._stopped_until = 0.0
        self._interval = window / limit
        self._ahead = burst * window  # how far the even schedule may be run ahead of
        self._schedule: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until the next request may leave; 0: now."""
        while self._busy and self._busy[0] <= now:
            self._busy.popleft()
        if now >= self._others_until:
            self._others = 0
        times = [self._stopped_until]
        if self._schedule is not None:
            times.append(self._schedule - self._ahead)
        if len(self._busy) + self._flying + self._others >= self.limit:
            free = [self._busy[0]] if self._busy else []
            free += [self._others_until] if self._others else []
            times.append(min(free) if free else now + self._interval)  # all in flight: look again soon
        return max(0.0, max(times) - now)

    def sent(self, now: float) -> None:
        self._flying += 1
        self._schedule = max(now, self._schedule if self._schedule is not None else now) + self._interval

    def answered(self, now: float, remaining: int | None = None, reset_in: float | None = None) -> None:
        """`remaining` and `reset_in` (seconds) from the headers, None where there were none."""
        self._flying -= 1
        insort(self._busy, now + self.window + MARGIN)
        if remaining is None:
            return
        reset = now + (reset_in if reset_in is not None else self.window)
        self._others = max(0, self.limit - remaining - len(self._busy) - self._flying)
        self._others_until = reset + MARGIN if self._others else 0.0
        if remaining <= 0 and self._others:
            self._stopped_until = max(self._stopped_until, reset + MARGIN)

    def failed(self, now: float) -> None:
        """No answer: the server may have logged it."""
        self.answered(now)

    def refused(self, now: float, wait: float) -> None:
        """A 429, which the server does not log: nothing leaves for `wait` seconds."""
        self._flying -= 1
        self._stopped_until = max(self._stopped_until, now + wait)

    @property
    def left(self) -> int:
        """Requests that may leave before a slot has to be free again."""
        return max(0, self.limit - len(self._busy) - self._flying - self._others)


class Log:
    """The times of requests on disk, wall clock, one a line: written before a request leaves, so that a kill forgets none."""

    def __init__(self, path: Path, window: float) -> None:
        self._path, self._window = path, window
        path.parent.mkdir(parents=True, exist_ok=True)

    def held_until(self, wall: float, steady: float, slack: float) -> list[float]:
        """When the slots of earlier runs are free, on the steady clock; `slack`: seconds that an answer may have taken.

        Times that lie in the future (the clock was put back) count as now: that can waste a window, never overrun one.
        """
        kept = [min(time, wall) for time in self._read() if time > wall - self._window - slack]
        temporary = self._path.with_suffix(".writing")
        temporary.write_text("".join(f"{time:.3f}\n" for time in kept), encoding="ascii")
        temporary.replace(self._path)
        return [steady + (time + self._window + slack - wall) for time in kept]

    def _read(self) -> list[float]:
        try:
            lines = self._path.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return []
        times = []
        for line in lines:
            try:
                times.append(float(line))
            except ValueError:
                continue  # a torn last line
        return times

    def note(self, wall: float) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"{wall:.3f}\n")
