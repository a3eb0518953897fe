"""What a shell is offered inside the brackets of a list: `steps=[collect,cu` -> `steps=[collect,curate`.

In: the line so far, as bash hands it over, and the plural groups with their options. Out: whole words, or None where the last word is
no list and Hydra's own completion (groups, options, recipes, settings, files) answers. Hydra knows no lists of options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_LIST = re.compile(r"(?P<head>(?P<plus>\+?)(?P<group>\w+)=\[)(?P<chosen>(?:\w+,)*)(?P<begun>\w*)")


def in_a_list(line: str, options: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Options that go on with the last word of `line` and are not chosen yet. `options`: plural group -> its options."""
    word = re.split(r"\s", line)[-1]
    found = _LIST.fullmatch(word)
    if found is None or found["group"] not in options:
        return None
    chosen = found["chosen"].split(",")
    fitting = [name for name in options[found["group"]] if name.startswith(found["begun"]) and name not in chosen]
    return [f"{found['head']}{found['chosen']}{name}" for name in fitting]
