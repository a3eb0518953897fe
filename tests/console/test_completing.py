"""Completion of the `minisc` script: words inside lists by the function, everything else in a real bash with Hydra's own installer."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minisc.console.completing import in_a_list
from tests.ready import ready

OPTIONS = {"steps": ["collect", "curate", "pack"], "filters": ["license"]}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("minisc steps=[", ["steps=[collect", "steps=[curate", "steps=[pack"]),
        ("minisc +recipe=tiny steps=[collect,c", ["steps=[collect,curate"]),
        ("minisc +filters=[", ["+filters=[license"]),
        ("minisc filters=[license,", []),
        ("minisc steps=[collect] ", None),
        ("minisc model=[", None),
        ("minisc steps=", None),
        ("", None),
    ],
)
def test_words_inside_a_list(line: str, offered: list[str] | None) -> None:
    assert in_a_list(line, OPTIONS) == offered


def completed(line: str) -> list[str]:
    """What bash offers for a line, by the function that the installer defines."""
    script = Path(sys.executable).parent / "minisc"
    bash = shutil.which("bash")
    if bash is None or not script.exists():
        pytest.skip("needs bash and the minisc script")
    words = line.split(" ")
    told = subprocess.run(
        [bash, "--norc", "-c", 'eval "$(minisc -sc install=bash)"; complete -p minisc >&2; COMP_LINE="$1"; COMP_POINT=${#1}; '
         'COMP_CWORD=$2; hydra_bash_completion; printf "%s\\n" "${COMPREPLY[@]}"', "bash", line, str(len(words) - 1)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert "hydra_bash_completion minisc" in told.stderr, told.stderr
    return told.stdout.split()


@pytest.mark.system
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("minisc +recipe=ti", ["+recipe=tiny"]),
        ("minisc +recipe=tiny tok", ["tokenizer=", "tokenizer.", "tokens=", "tokens."]),
        ("minisc +recipe=tiny model=2", ["model=200m", "model=20m"]),
        ("minisc trainer.max_l", ["trainer.max_lr="]),
        ("minisc +recipe=tiny steps=[collect,cu", ["steps=[collect,curate"]),
        ("minisc pla", ["plan_only="]),
    ],
)
def test_a_real_bash_offers(line: str, offered: list[str]) -> None:
    assert sorted(completed(line)) == sorted(offered)


@pytest.mark.system
def test_the_tab_key_in_an_interactive_bash() -> None:
    """What a person does: type the beginning, press the key, see the rest."""
    script, bash = Path(sys.executable).parent / "minisc", shutil.which("bash")
    if bash is None or not script.exists():
        pytest.skip("needs bash and the minisc script")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}", "TERM": "dumb", "INPUTRC": "/dev/null", "PS1": "$ "}
    with subprocess.Popen(
        [bash, "--norc", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as shell:
        try:
            told = ""

            def typed(keys: str, until: str) -> None:
                nonlocal told
                told = ""
                os.write(ours, keys.encode())
                end = time.monotonic() + 60
                while until not in told:
                    assert time.monotonic() < end, told
                    if ready(ours, select.POLLIN, 1):
                        told += os.read(ours, 4096).decode(errors="replace").replace("\r", "")

            typed('eval "$(minisc -sc install=bash)"; echo rea""dy\n', until="\nready")
            typed("minisc +recipe=ti\t", until="+recipe=tiny")
            typed(" steps=[collect,cu\t", until="steps=[collect,curate")
            typed("] trainer.max_l\t", until="] trainer.max_lr=")
        finally:
            shell.kill()
            os.close(ours)
            os.close(theirs)
