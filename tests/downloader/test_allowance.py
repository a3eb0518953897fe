"""The schedule of requests against a server that keeps the archive's sliding log, over simulated days; no clock runs here."""

from __future__ import annotations

import heapq
import random
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.downloader.allowance import Allowance, Log

HOUR, DAY = 3600.0, 86_400.0


class Server:
    """swh-web's throttle: a log of accepted requests, each forgotten one window later; refusals are not logged."""

    def __init__(self, limit: int, window: float = HOUR) -> None:
        self.limit, self.window, self.log, self.refused = limit, window, deque[float](), 0

    def ask(self, now: float) -> tuple[bool, int, float]:
        while self.log and self.log[0] <= now - self.window:
            self.log.popleft()
        accepted = len(self.log) < self.limit
        if accepted:
            self.log.append(now)
        self.refused += not accepted
        return accepted, self.limit - len(self.log), float(int(self.log[0] + self.window)) - now


def simulate(
    allowance: Allowance,
    server: Server,
    seconds: float,
    *,
    seed: int = 1,
    connections: int = 4,
    others: float = 0.0,
    start: float = 1000.0,
    log: Log | None = None,
) -> int:
    """Requests answered within `seconds`; latencies of 0.05 to 2 s, `others` requests an hour of somebody else, `log` written as a client does."""
    rng = random.Random(seed)
    now, answered, flying = start, 0, 0
    events: list[tuple[float, int, str]] = []  # arrivals at the server and answers back
    number = 0
    for at in range(int(others * seconds / HOUR)):
        heapq.heappush(events, (start + rng.uniform(0, seconds), -at - 1, "other"))
    while now < start + seconds:
        wait = allowance.wait(now) if flying < connections else 1e9
        if wait <= 0:
            if log is not None:
                log.note(now)
            allowance.sent(now)
            flying, number = flying + 1, number + 1
            heapq.heappush(events, (now + rng.uniform(0.02, 1), number, "arrive"))
            continue
        at = now + wait
        if events and events[0][0] <= at:
            now, own, what = heapq.heappop(events)
            if what == "other":
                server.refused -= not server.ask(now)[0]  # theirs, not ours
            elif what == "arrive":
                accepted, remaining, reset = server.ask(now)
                heapq.heappush(events, (now + rng.uniform(0.03, 1), own, f"{'ok' if accepted else 'no'} {remaining} {reset}"))
            else:
                word, remaining_text, reset_text = what.split()
                flying -= 1
                if word == "ok":
                    allowance.answered(now, int(remaining_text), float(reset_text))
                    answered += 1
                else:
                    allowance.refused(now, float(reset_text) + 1)
        else:
            now = at
    return answered


@pytest.mark.parametrize("limit", [120, 1200])
@pytest.mark.parametrize("burst", [0.0, 0.1, 1.0])
def test_a_day_uses_99_percent_of_the_allowance_without_one_refusal(limit: int, burst: float) -> None:
    server = Server(limit)
    answered = simulate(Allowance(limit, HOUR, burst), server, DAY)
    assert server.refused == 0
    assert answered >= 0.99 * 24 * limit


@pytest.mark.parametrize("limit", [120, 1200])
@pytest.mark.parametrize("burst", [0.1, 1.0])
def test_a_day_with_a_kill_at_noon_uses_99_percent_too(tmp_path: Path, limit: int, burst: float) -> None:
    """What the first client had under way at noon is lost to it, not to the server; the second knows of it by the log alone."""
    server, log, noon = Server(limit), Log(tmp_path / "a.log", HOUR), DAY / 2
    answered = simulate(Allowance(limit, HOUR, burst), server, noon, start=0.0, log=log)
    second = Allowance(limit, HOUR, burst, log.held_until(noon, noon, 60.0))  # 60 s: the time-out of a request
    answered += simulate(second, server, noon, start=noon, seed=2, log=log)
    assert server.refused == 0
    assert answered >= 0.99 * 24 * limit


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 300), st.floats(0, 1), st.integers(1, 40), st.integers(0, 1000))
def test_no_refusal_whatever_the_numbers(limit: int, burst: float, connections: int, seed: int) -> None:
    server = Server(limit)
    answered = simulate(Allowance(limit, HOUR, burst), server, 5 * HOUR, seed=seed, connections=connections)
    assert server.refused == 0 and answered >= 0.95 * 5 * limit - connections - 2


def test_without_burst_requests_are_spread_evenly() -> None:
    allowance = Allowance(120, HOUR, 0.0)
    now, times = 0.0, []
    for _ in range(120):
        now += allowance.wait(now)
        allowance.sent(now)
        allowance.answered(now)
        times.append(now)
    assert times == [30.0 * at for at in range(120)]


def test_what_others_use_of_the_same_allowance_is_left_to_them() -> None:
    """The other half of an allowance is used from elsewhere: refusals stay rare, and each is waited out."""
    server = Server(120)
    answered = simulate(Allowance(120, HOUR, 0.1), server, DAY, others=60)
    assert answered >= 0.9 * 24 * 60 and server.refused < 0.05 * answered


def test_nothing_leaves_before_the_server_s_reset_when_others_took_all() -> None:
    allowance = Allowance(120, HOUR, 1.0)
    allowance.sent(0.0)
    allowance.answered(0.0, remaining=0, reset_in=1234.0)
    assert 1234.0 <= allowance.wait(0.0) <= 1235.0
    assert allowance.wait(1240.0) == 0.0


def test_a_refusal_stops_everything_to_the_second() -> None:
    allowance = Allowance(120, HOUR, 1.0)
    allowance.sent(0.0)
    allowance.refused(5.0, 600.0)
    assert allowance.wait(5.0) == 600.0 and allowance.wait(604.9) == pytest.approx(0.1) and allowance.wait(605.0) == 0.0


def test_a_request_without_an_answer_holds_its_slot() -> None:
    allowance = Allowance(1, HOUR, 1.0)
    allowance.sent(0.0)
    assert allowance.wait(10.0) > 0
    allowance.failed(60.0)
    assert allowance.wait(60.0) == pytest.approx(HOUR + 0.5)


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """Killed every 20 minutes for half a day: the log alone keeps the server from ever refusing."""
    server, log, answered = Server(120), Log(tmp_path / "a.log", HOUR), 0
    rng = random.Random(3)
    for run in range(36):
        start = run * 1200.0
        allowance = Allowance(120, HOUR, 1.0, log.held_until(start, start, 2.0))
        now = start
        while (now := now + allowance.wait(now)) < start + 1199:
            log.note(now)
            allowance.sent(now)
            arrives = now + rng.uniform(0, 1)
            assert server.ask(arrives)[0]
            now = arrives + rng.uniform(0, 0.5)
            allowance.answered(now)
            answered += 1
    assert server.refused == 0 and answered >= 0.95 * 12 * 120


def test_a_log_from_the_future_counts_as_now(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", HOUR)
    for wall in (10_000.0, 20_000.0):
        log.note(wall)
    assert log.held_until(9_000.0, 5.0, 1.0) == [5.0 + HOUR + 1.0] * 2  # the clock was put back
    assert log.held_until(50_000.0, 5.0, 1.0) == []  # and forward again


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"100.0\n2\xff0\n1e\n200.0\n15")
    assert len(Log(tmp_path / "a.log", HOUR).held_until(300.0, 0.0, 0.0)) == 3  # "15" is a time long ago that is still within the hour
