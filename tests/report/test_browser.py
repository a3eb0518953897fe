"""The report in a real browser: it draws, it keeps its width on a phone, nothing in it runs."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from minisc.report.html import render_html
from minisc.report.story import Story
from tests.report import stories

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip

pytestmark = [pytest.mark.system, pytest.mark.skipif(BROWSER is None, reason="no chromium here: apt-get install chromium")]


def browse(tmp_path: Path, page: str, *arguments: str) -> str:
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    command = [str(BROWSER), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *arguments, path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def screenshot(tmp_path: Path, story: Story, width: int, height: int) -> list[bytes]:
    """Rows of 8-bit RGB or RGBA pixels, read with nothing but zlib."""
    browse(tmp_path, render_html(story), f"--window-size={width},{height}", f"--screenshot={tmp_path / 'shot.png'}")
    raw = (tmp_path / "shot.png").read_bytes()
    at, data, channels = 8, b"", 0
    while at < len(raw):
        length, kind = struct.unpack(">I4s", raw[at : at + 8])
        body = raw[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            found_width, found_height, depth, color = struct.unpack(">IIBB", body[:10])
            assert (found_width, found_height, depth) == (width, height, 8)
            channels = {2: 3, 6: 4}[color]
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    return unfiltered(zlib.decompress(data), width * channels, channels)


def unfiltered(data: bytes, stride: int, channels: int) -> list[bytes]:
    """PNG's five filters undone (RFC 2083, section 6)."""
    rows: list[bytes] = []
    above = bytes(stride)
    for start in range(0, len(data), stride + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + stride])
        for at in range(stride):
            left = row[at - channels] if at >= channels else 0
            corner = above[at - channels] if at >= channels else 0
            guess = (0, left, above[at], (left + above[at]) // 2, paeth(left, above[at], corner))[kind]
            row[at] = (row[at] + guess) & 255
        above = bytes(row)
        rows.append(above)
    return rows


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def test_the_report_is_drawn_all_the_way_down(tmp_path: Path) -> None:
    rows = screenshot(tmp_path, stories.full(), 400, 3000)
    inked = [len(set(row)) > 8 for row in rows]
    assert sum(inked) > 0.5 * len(inked), "most rows of pixels hold more than paper"
    assert all(any(inked[at : at + 150]) for at in range(0, 3000, 150)), "no stretch of the page is empty"
    assert any(row.count(bytes((11, 122, 117))) > 20 for row in rows), "the bars stand in their colour"


def test_nothing_is_wider_than_a_phone(tmp_path: Path) -> None:
    """Read by a script that only this test adds, into a copy without the policy that forbids it."""
    page = render_html(stories.hostile()).replace("default-src &#x27;none&#x27;; style-src &#x27;unsafe-inline&#x27;", "")
    probe = "<script>document.title = document.documentElement.scrollWidth + ' of ' + window.innerWidth</script></body>"
    dump = browse(tmp_path, page.replace("</body>", probe), "--window-size=500,900", "--dump-dom")
    width, window = dump.split("<title>")[1].split("</title>")[0].split(" of ")
    assert int(width) <= int(window)


def test_a_script_that_got_in_would_not_run(tmp_path: Path) -> None:
    page = render_html(stories.full()).replace("</body>", "<script>document.title = 'it ran'</script></body>")
    assert "it ran</title>" not in browse(tmp_path, page, "--dump-dom")
