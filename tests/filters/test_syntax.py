"""The syntax filter: each reason by the texts that earn it."""

from __future__ import annotations

import ast
import symtable
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from minisc.core.errors import UserError
from minisc.filters.syntax import Syntax, fault
from tests.support import reasons, row, rows_of, run_stage


def reason(text: str) -> str:
    (found,) = reasons(run_stage(Syntax(expected_drop=1), [row(text)])).values()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\r\ny = 2\r",
        "\ufeffx = 1\n",
        'x = "\\d"\n',
        "assert (x, 'a tuple is always true')\n",
        "match x:\n    case [1, *_]:\n        pass\n",
        "async def f():\n    return [x async for x in y]\n",
        "print >>sys.stderr, 'odd but Python 3'\n",
        "f'{{ {x} }}'\n",
        "x = " * 20_000 + "1\n",
    ],
)
def test_python_stays(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        'print "hello"\n',
        "if x:\n    print x, y\n",
        "try:\n    f()\nexcept ValueError, error:\n    pass\n",
        "x = `y`\n",
        'exec "x = 1"\n',
        "exec code in namespace\n",
        "if a <> b:\n    pass\n",
        "os.chmod(path, 0777)\n",
        'raise ValueError, "no"\n',
        's = ur"abc"\n',
        "n = 10L\n",
        "n = 0xFFL\n",
        "def f(a, (b, c)):\n    pass\n",
    ],
)
def test_python_2(text: str) -> None:
    assert reason(text) == "python2"


@pytest.mark.parametrize(
    "text",
    [
        "class {{ cookiecutter.name }}:\n    pass\n",
        "{% if x %}\nimport a\n{% endif %}\n",
        "x = {{ value }}{{ other | tojson }}\n",
        "import ${package}\n",
    ],
)
def test_templates(text: str) -> None:
    assert reason(text) == "template"


DEEP = {
    "brackets": "(" * 300 + ")" * 300,
    "open": "[" * 100_000,
    "minus": "-" * 100_000 + "1",
    "attributes": "a" + ".b" * 100_000,
    "sum": "+".join(["1"] * 100_000),
    "not": "not " * 50_000 + "a",
    "lambda": "lambda: " * 50_000 + "1",
    "index": "x" + "[0]" * 50_000,
    "conditional": "a if b else " * 50_000 + "c",
    "elif": "if a: pass\n" + "elif b: pass\n" * 20_000,
    "blocks": "".join(" " * depth + "if a:\n" for depth in range(150)) + " " * 150 + "pass\n",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_a_reason_and_no_crash(text: str) -> None:
    assert reason(text) == "too_deep"


@pytest.mark.parametrize("text", ["def f(:\n", "x = (\n", "if a:\n", "the quick brown fox\n", "print('a'\nprint('b')\n"])
def test_anything_else(text: str) -> None:
    assert reason(text) == "syntax_error"


def test_what_no_document_holds_is_a_syntax_error_too() -> None:
    assert fault("x = 1\0") == fault("x = '\ud800'") == "syntax_error"


def test_the_verdict_does_not_depend_on_the_callers_depth() -> None:
    """How deep the parser may go depends on where the caller stands in the stack; the verdict must not."""

    def called(depth: int, text: str) -> str:
        return called(depth - 1, text) if depth else reason(text)

    for terms in range(600, 3200, 200):
        text = "+".join(["1"] * terms)
        assert called(0, text) == called(500, text)


def test_only_code_is_judged() -> None:
    assert list(reasons(run_stage(Syntax(expected_drop=1), [row("not python at all", kind="text")])).values()) == [""]


def test_a_batch_is_judged_one_by_one() -> None:
    texts = ["x = 1\n", "x = (\n", 'print "x"\n'] * 5
    assert list(reasons(run_stage(Syntax(expected_drop=1), rows_of(texts), batch=4)).values()) == ["", "syntax_error", "python2"] * 5


def test_the_parsers_version_enters_the_fingerprint() -> None:
    assert Syntax(expected_drop=1).identity() == {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}


def test_bad_values_are_refused_when_built() -> None:
    with pytest.raises(UserError):
        Syntax(expected_drop=-0.1)


@pytest.mark.parametrize(
    "text",
    [
        "def f(a, a):\n    pass\n",
        "def f():\n    x = 1\n    global x\n",
        "nonlocal x\n",
        "def f(x):\n    global x\n",
        "from __future__ import braces\n",
        "class A:\n    x = [(y := 1) for y in z]\n",
        "return 1\n",
        "\ufeffx = 1\n",
    ],
)
def test_what_only_a_later_stage_of_the_compiler_refuses_stays(text: str) -> None:
    assert fault(text) == ""


@pytest.mark.parametrize("form", ["x = {}1", "x = a{}"], ids=["in front", "behind"])
def test_the_quick_way_lets_nothing_through_that_the_tree_refuses(form: str) -> None:
    """Both have their limits of nesting; if the symbol table's were the higher one, the answer would depend on the caller's stack."""

    def passes(parse: Callable[[str], object], text: str) -> bool:
        try:
            parse(text)
        except (RecursionError, MemoryError):
            return False
        return True

    def refused_only_by_the_tree() -> list[int]:
        texts = {depth: form.format(("-" if "1" in form else ".b") * depth) for depth in range(2960, 2990)}
        quick = {depth: passes(lambda text: symtable.symtable(text, "t", "exec"), text) for depth, text in texts.items()}
        return [depth for depth, text in texts.items() if quick[depth] and not passes(ast.parse, text)]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(refused_only_by_the_tree).result() == []
