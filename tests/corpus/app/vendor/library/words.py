"""Counts words the way a reader would."""
import re

WORD = re.compile(r"[a-z']+")


def frequencies(text):
    found = {}
    for match in WORD.finditer(text.lower()):
        found[match.group()] = found.get(match.group(), 0) + 1
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def rare(text, at_most=1):
    return sorted(word for word, often in frequencies(text).items() if often <= at_most)
