"""ScanCode at the other end of a pipe: run by an interpreter that has it, and imports nothing of ours.

In: texts, each a line of JSON (a string). Out: for each a line of JSON: the SPDX expressions of ScanCode's detections, in order. The first
line out, before any text, is ScanCode's version, or null where it is not installed.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what ScanCode and its libraries print is no answer
    try:
        from importlib.metadata import version

        from licensedcode.cache import get_index
        from licensedcode.detection import detect_licenses

        index = get_index()
        told = version("scancode-toolkit-mini")
    except ImportError as error:
        print(error, file=sys.stderr)
        told = None
    print(json.dumps(told), file=out, flush=True)
    for line in sys.stdin if told else ():
        found = [detection.license_expression_spdx for detection in detect_licenses(query_string=json.loads(line), index=index)]
        print(json.dumps([expression for expression in found if expression]), file=out, flush=True)


if __name__ == "__main__":
    main()
