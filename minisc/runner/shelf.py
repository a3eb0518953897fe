"""Where the choices lie: `conf/` and `recipes/`, beside the package in a checkout, inside it in a wheel.

A recipe is a file `recipes/<name>.yaml` whose comment header says, line by line: what comes out (one line, shown by
`python -m minisc`), the command, the hardware, how long, how much disk.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_ROOT = _PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent
CONF, RECIPES = _ROOT / "conf", _ROOT / "recipes"


def recipes() -> dict[str, str]:
    """Recipe name -> its one line."""
    found = {}
    for path in sorted(RECIPES.glob("*.yaml")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        found[path.stem] = first.lstrip("# ").strip()
    return found
