"""detect-secrets as an engine: its plugins and filters decide, on the few lines where they can find anything.

In: a text. Out: `Finding`s, the characters that a plugin calls secret. What is configured (class names of plugins with their
limits, names of filters of `detect_secrets.filters.heuristic`) is imported and used at run time; no pattern is copied.
Guarantees: everything that these plugins find line by line after these filters is found (held by a test on installed packages
and on planted secrets); lines longer than WINDOW are judged in windows of that size around each place in question, which
keeps their quadratic patterns linear in the text. Price: 25 to 40 ms a megabyte, where detect-secrets itself takes 1,100: it
calls every plugin on every line through an injector of arguments.

How it is fast: a regex plugin runs only on lines that hold its patterns' anchors (`anchors.py`); the two entropy plugins get
the quoted runs of their own charset that are long enough to reach their limit at all (entropy <= log2(length)).
A finding is the group that a pattern captures, but where the group is a mere prefix (`(ghp|gho)_…` captures `ghp`) it is the
whole match; bigcode-dataset marks every `ghp` in the file instead.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters import heuristic
from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin

from minisc.core.errors import UserError, did_you_mean
from minisc.text.literals import Places
from minisc.text.sensitive.anchors import USELESS, Anchor, anchors_of

WINDOW = 2048  # characters of a line that are judged at once; behind an anchor are always 1,024, the longest secret of the plugins
_PREFIX = 8  # a captured group shorter than this names the kind of token


@dataclass(frozen=True, slots=True)
class Finding:
    """Characters `start` to `end` of the text, the class name of the plugin that calls them secret, and whether it guesses."""

    start: int
    end: int
    plugin: str
    by_entropy: bool


class SecretsEngine:
    """`plugins`: class name -> constructor arguments; `filters`: function names. Raises UserError for names that do not exist."""

    def __init__(self, plugins: Mapping[str, Mapping[str, Any]], filters: Iterable[str], where: str) -> None:
        classes = {cls.__name__: cls for cls in get_mapping_from_secret_type_to_class().values()}
        for name in plugins:
            if name not in classes:
                raise UserError(f"detect-secrets has no plugin {name!r}", where=f"{where}.plugins", do=did_you_mean(name, classes))
        self._filters = [_filter(name, where) for name in filters]
        built = {name: classes[name](**dict(arguments or {})) for name, arguments in plugins.items()}
        self._entropy = [_Entropy(name, plugin) for name, plugin in built.items() if isinstance(plugin, HighEntropyStringsPlugin)]
        others = {name: plugin for name, plugin in built.items() if not isinstance(plugin, HighEntropyStringsPlugin)}
        self._lines = _Lines(others)

    @property
    def literals(self) -> list[str]:
        """What `find` wants to know the places of, in lower case."""
        return [literal.lower() for literal in self._lines.literals]

    def find(self, text: str, simple: str, places: Places) -> Iterator[Finding]:
        """All findings of all plugins, in no particular order, some more than once.

        `simple` is `plain(text)`, `places` those of `literals` in its lower case.
        """
        for entropy in self._entropy:
            for start, end in entropy.candidates(text):
                if entropy.judge(text[start:end]) and self._passes(text[start:end], _window(text, start, end), entropy.plugin, text):
                    yield Finding(start, end, entropy.name, True)
        for name, plugin, (begin, stop) in self._lines.worth_judging(text, simple, places):
            line = text[begin:stop].rstrip()
            for start, end, value in _matches(plugin, line):
                if self._passes(value, (begin, stop), plugin, text):
                    yield Finding(begin + start, begin + end, name, False)

    def _passes(self, secret: str, window: tuple[int, int], plugin: Any, text: str) -> bool:
        line = text[slice(*window)].rstrip()
        return not any(function(secret=secret, line=line, plugin=plugin) for function in self._filters)


def _filter(name: str, where: str) -> Callable[..., bool]:
    """A heuristic of detect-secrets as a function of (secret, line, plugin), of which it takes what it asks for."""
    function = getattr(heuristic, name, None)
    if function is None or not callable(function):
        known = [known for known in dir(heuristic) if known.startswith("is_")]
        raise UserError(f"detect-secrets has no filter {name!r}", where=f"{where}.filters", do=did_you_mean(name, known))
    asked = set(inspect.signature(function).parameters)
    return lambda **given: bool(function(**{key: value for key, value in given.items() if key in asked}))


class _Entropy:
    """A plugin that looks at the entropy of quoted strings."""

    def __init__(self, name: str, plugin: Any) -> None:
        self.name, self.plugin = name, plugin
        self._least = math.floor(2**plugin.entropy_limit) + 1
        # The closing quote is looked at, not taken: it may open the next string.
        self._quoted = re.compile(f"""(["'])([{re.escape(plugin.charset)}]{{{self._least},}}+)(?=\\1)""")

    def candidates(self, text: str) -> Iterator[tuple[int, int]]:
        for match in self._quoted.finditer(text):
            yield match.span(2)

    def judge(self, value: str) -> bool:
        return len(set(value)) >= self._least and self.plugin.calculate_shannon_entropy(value) > self.plugin.entropy_limit


@dataclass(frozen=True)
class _Want:
    """One pattern of a plugin: it is to run where its first anchor is found and the others occur in the same window."""

    name: str
    plugin: Any
    first: Anchor
    others: tuple[Anchor, ...]

    def wants(self, window: str, lowered: str) -> bool:
        return all(_occurs(anchor, window, lowered) for anchor in self.others)


class _Lines:
    """Which plugins are to look at which lines."""

    def __init__(self, plugins: Mapping[str, Any]) -> None:
        self._everywhere: list[tuple[str, Any]] = []
        self.literals: dict[str, list[_Want]] = {}
        self._runs: list[tuple[re.Pattern[str], _Want]] = []
        for name, plugin in plugins.items():
            anchors = [anchors_of(pattern) for pattern in getattr(plugin, "denylist", ())]
            if not anchors or any(not each or each[0].price[0] >= USELESS for each in anchors):
                self._everywhere.append((name, plugin))
                continue
            for each in anchors:
                want = _Want(name, plugin, each[0], tuple(each[1:]))
                for literal in want.first.literals:
                    self.literals.setdefault(literal, []).append(want)
                if not want.first.literals:
                    self._runs.append((_run(want.first), want))
        # One scan for a run that any of them could be, then each looks inside it.
        self._runs.sort(key=lambda run: run[1].first.length)
        charset = "".join(sorted({want.first.charset for _, want in self._runs}))
        shortest = self._runs[0][1].first.length if self._runs else 0
        self._any_run = re.compile(f"[{charset}a-zA-Z]{{{shortest},}}+") if self._runs else None

    def worth_judging(self, text: str, simple: str, places: Places) -> Iterator[tuple[str, Any, tuple[int, int]]]:
        """(name, plugin, window), each once."""
        seen: set[tuple[str, int]] = set()
        for want, at, end in self._hits(simple, places):
            window = _window(text, at, end)
            if (want.name, window[0]) not in seen:
                inside = simple[slice(*window)]
                if want.wants(inside, inside.lower()):
                    seen.add((want.name, window[0]))
                    yield want.name, want.plugin, window
        for name, plugin in self._everywhere:
            for line in re.finditer(r"[^\r\n]+", text):
                for at in range(line.start(), line.end(), WINDOW // 2):
                    window = _window(text, at, at + 1)
                    yield name, plugin, window
                    if window[1] == line.end():
                        break

    def _hits(self, simple: str, places: Places) -> Iterator[tuple[_Want, int, int]]:
        for literal, wants in self.literals.items():
            for at in places.get(literal.lower(), ()):
                for want in wants:
                    if want.first.ignore_case or simple.startswith(literal, at):
                        yield want, at, at + len(literal)
        for run in self._any_run.finditer(simple) if self._any_run else ():
            start, end = run.span()
            for pattern, want in self._runs:
                if want.first.length > end - start:
                    break
                found = pattern.search(simple, start, end)
                while found:
                    yield want, found.start(), found.end()
                    found = (
                        pattern.search(simple, max(found.end(), _cell(found.start()) + WINDOW // 2), end) if end - start > WINDOW else None
                    )


def _run(anchor: Anchor) -> re.Pattern[str]:
    return re.compile(f"[{anchor.charset}]{{{anchor.length}}}", re.IGNORECASE if anchor.ignore_case else 0)


def _occurs(anchor: Anchor, window: str, lowered: str) -> bool:
    if anchor.literals:
        return any(literal in (lowered if anchor.ignore_case else window) for literal in anchor.literals)
    return bool(_run(anchor).search(window))


def _window(text: str, start: int, end: int) -> tuple[int, int]:
    """The line around a place; of a line longer than WINDOW, a piece that begins on a grid, so that near places share it."""
    low, high = max(0, start - WINDOW), end + WINDOW
    begin = max(text.rfind("\n", low, start), text.rfind("\r", low, start)) + 1 or low
    stop = min((at for at in (text.find("\n", end, high), text.find("\r", end, high)) if at >= 0), default=min(high, len(text)))
    if stop - begin > WINDOW:
        cell = _cell(start)
        begin, stop = max(begin, cell - WINDOW // 4), min(stop, max(end, cell + WINDOW))
    return begin, stop


def _cell(start: int) -> int:
    """Where the piece of the grid begins that a place is in; a window reaches from a quarter before it to 1,024 characters after it."""
    return start // (WINDOW // 2) * (WINDOW // 2)


def _matches(plugin: Any, line: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, the value that detect-secrets would report) of what the plugin finds in a line."""
    values = set(plugin.analyze_string(line))
    if not values:
        return
    for pattern in getattr(plugin, "denylist", ()):
        for match in pattern.finditer(line):
            for group in range(1, pattern.groups + 1) if pattern.groups else (0,):
                value = match.group(group)
                if value and value in values:
                    start, end = match.span(group) if len(value) >= _PREFIX else match.span()
                    yield start, end, value
