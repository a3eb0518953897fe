"""An item that stands in the corpus is found, with its document; one that only shares common lines is not."""

from __future__ import annotations

from minisc.core.document import Doc
from minisc.evals.contamination import Overlap, overlaps

LINES = ["def has_close_elements(numbers):", "    for first in sorted(numbers):", "        if abs(first - second) < threshold:"]
ITEM = "\n".join([*LINES, "    return False"])


def doc(uid: str, text: str) -> Doc:
    return Doc(uid=uid, text=text, size=len(text))


def test_a_copy_is_found_whatever_its_indentation() -> None:
    found = overlaps({"x": ITEM}, [doc("a", "x = 1\n"), doc("b", "class Other:\n" + "\n".join("        " + line for line in LINES))])
    assert found == {"x": Overlap(1.0, "b")}


def test_a_part_has_its_share_and_short_lines_are_everybodys() -> None:
    found = overlaps({"x": ITEM}, [doc("a", "    return False\n"), doc("b", LINES[0])])
    assert found["x"].uid == "b" and found["x"].share == len(LINES[0].strip()) / sum(len(line.strip()) for line in LINES)


def test_the_first_of_equals_and_one_document_at_a_time() -> None:
    found = overlaps({"x": ITEM}, [doc("a", LINES[0]), doc("b", LINES[0]), doc("c", LINES[1])])
    assert found["x"].uid == "a" and found["x"].share < 0.5


def test_an_item_of_short_lines_is_never_seen() -> None:
    assert overlaps({"x": "return 1\n"}, [doc("a", "return 1\n")]) == {"x": Overlap()}
