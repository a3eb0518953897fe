"""The check of HumanEval+ and MBPP+: a candidate's answers beside the reference's, on many inputs.

This file is read as text and runs inside the sandbox's examiner, on a bare interpreter: standard library only, no imports of ours.
The rules are EvalPlus' (v0.3, `evalplus/eval`): equal; or, where the reference gives floats or the item states a
tolerance, of the same type and length and within |x - y| <= atol + 1e-7 |y|; and a few items with rules of their own.
"""

import copy
import math
import time
from collections.abc import Callable
from typing import Any

AT_ONCE = 64  # questions to the candidate in one message, at most
QUICK = 0.05  # seconds of a round; after a quicker one the next is twice as large, after a slower one half: answers can be large
PATIENCE = (4.0, 4.0)  # a round may take this many seconds, or this many times what the reference took
FLOAT_TOLERANCE = 1e-6  # where an item states none and the reference's answer is made of floats
RELATIVE = 1e-7


def compare(candidate: Any, reference: Callable[..., Any], inputs: list[list[Any]], rule: str, tolerance: float) -> None:
    """Raises AssertionError at the first input where the answers differ; the candidate's time is bounded by the reference's."""
    start, count = 0, 1
    while start < len(inputs):
        asked = inputs[start : start + count]
        began = time.monotonic()
        expected = [reference(*copy.deepcopy(given)) for given in asked]
        spent = time.monotonic() - began
        answers = candidate.each(asked, expected, max(PATIENCE[0], PATIENCE[1] * spent))
        for given, answer, right in zip(asked, answers, expected, strict=True):
            assert RULES[rule](answer, right, given, tolerance), f"{str(given)[:80]}: {str(answer)[:80]}, expected {str(right)[:80]}"
        start += count
        count = min(AT_ONCE, count * 2) if time.monotonic() - began < QUICK else max(1, count // 2)


def same(answer: Any, expected: Any, given: list[Any], tolerance: float) -> bool:
    if answer == expected:
        return True
    tolerance = tolerance or (FLOAT_TOLERANCE if _floats(expected) else 0)
    return bool(tolerance) and type(answer) is type(expected) and _close(answer, expected, tolerance)


def _floats(value: Any) -> bool:
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _close(answer: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(answer, (list, tuple))
            and len(answer) == len(expected)
            and all(map(_close, answer, expected, [tolerance] * len(expected)))
        )
    if not isinstance(answer, (int, float, complex)) or not isinstance(expected, (int, float, complex)):
        return False
    return answer == expected or abs(answer - expected) <= tolerance + RELATIVE * abs(expected)


def same_set(answer: Any, expected: Any, given: list[Any], tolerance: float) -> bool:
    return set(answer) == set(expected)


def found(answer: Any, expected: Any, given: list[Any], tolerance: float) -> bool:
    """The reference gives a match object or None; an answer may be a truth value or again any object or None."""
    there = expected is not None
    return answer == there if isinstance(answer, bool) else (answer is not None) == there


def root(answer: Any, expected: Any, given: list[Any], tolerance: float) -> bool:
    """HumanEval/32: any root of the polynomial will do."""
    return abs(sum(factor * math.pow(answer, power) for power, factor in enumerate(given[0]))) <= tolerance


def surface(answer: Any, expected: Any, given: list[Any], tolerance: float) -> bool:
    """Mbpp/581: the height of the pyramid may also be read as that of its apex."""
    base, height = given
    slant = math.sqrt((base / 2) ** 2 + height**2)
    return same(answer, expected, given, tolerance) or abs(answer - round(2 * base * slant + base**2)) <= tolerance


def digits(answer: Any, expected: Any, given: list[Any], tolerance: float) -> bool:
    """Mbpp/558: the distance may also be taken digit by digit."""
    first, second = (str(number) for number in given)
    width = max(len(first), len(second))
    pairs = zip(first.zfill(width), second.zfill(width), strict=True)
    return same(answer, expected, given, tolerance) or ("-" not in first + second and answer == sum(abs(int(a) - int(b)) for a, b in pairs))


RULES: dict[str, Callable[[Any, Any, list[Any], float], bool]] = {
    "same": same, "same_set": same_set, "found": found, "root": root, "surface": surface, "digits": digits,
}  # fmt: skip
