"""The one place that knows Hydra: compose, check, build, plan, run.

In: a command line. Out: a run. Everything that a run needs is built before its first step starts, so a bad value fails in
the first seconds. Behind this file there are plain dataclasses, dictionaries, lists and numbers only.

Hydra accepts `+recpie=tiny` as a new root key and runs the default: we refuse root keys that nobody declared. Components are built by
`runner/build.py`, which needs no Hydra.
"""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from omegaconf.resolvers.oc import env

from minisc.console import screens
from minisc.console.completing import in_a_list
from minisc.console.speaker import Terminal
from minisc.core import mirror
from minisc.core.artifact import MANIFEST
from minisc.core.errors import UserError, did_you_mean
from minisc.core.remember import Hashes
from minisc.core.runs import STORY
from minisc.core.step import Context, Step
from minisc.core.unseen import made_visible
from minisc.engine.base import Engine
from minisc.runner.build import build
from minisc.runner.costs import costs
from minisc.runner.graph import plan
from minisc.runner.run import Story, execute, figures_of
from minisc.runner.shelf import CONF, RECIPES, recipes
from minisc.runner.stopping import GOES_ON, Stopped, behind, end_children, mind_signals, watch
from minisc.runner.sweep import sweep_table
from minisc.runner.trouble import of_the_machine


def main() -> None:
    """`python -m minisc` and the `minisc` script. Exit status: 0 done, 1 our mistake, 2 something to mend, 130 and 143 stopped."""
    terminal = Terminal()
    if len(sys.argv) == 1:
        terminal.console.print(screens.welcome(recipes()), highlight=False, markup=False, soft_wrap=True)
        return
    if sys.argv[1:] == ["-sc", "query=bash"] and (offered := in_a_list(os.environ.get("COMP_LINE", ""), _lists())) is not None:
        sys.stdout.write(" ".join(offered) + "\n")
        return
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))  # Hydra takes it before the overrides only
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors to us
    os.environ.setdefault(WORDS, shlex.join(sys.argv[1:]))
    logging.lastResort = None  # what is said before there is a log is on the screen already
    logging.raiseExceptions = False  # a log on a full disk is no reason for a traceback
    mind_signals()
    watch()
    try:
        _check_words(sys.argv[1:])
        store = ConfigStore.instance()
        for name in recipes():
            store.store(group="recipe", name=name, node=OmegaConf.load(RECIPES / f"{name}.yaml"), package="_global_", provider="minisc")
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(_job)()
    except (Stopped, Exception) as error:
        stopped = behind(error)
        if stopped is None:
            assert isinstance(error, Exception)
            sys.exit(_failed(error, terminal, None))
        end_children()
        terminal.warn(f"{stopped.word}; {GOES_ON}")
        sys.exit(stopped.status)
    if _Sweep.failed:
        sys.exit(2)


def _lists() -> dict[str, list[str]]:
    """Plural groups, those that the root's defaults fill with a list, and their options."""
    defaults = OmegaConf.to_container(OmegaConf.load(CONF / "config.yaml").defaults)
    assert isinstance(defaults, list)
    plural = [str(key) for entry in defaults if isinstance(entry, dict) for key, value in entry.items() if isinstance(value, list)]
    return {group: sorted(path.stem for path in (CONF / group).glob("*.yaml")) for group in plural}


def _failed(error: Exception, terminal: Terminal, run: Path | None) -> int:
    """Say what went wrong, keep the traceback for the log; the exit status."""
    told = error if isinstance(error, UserError) else of_the_machine(error, run or Path.cwd()) or _of_hydra(error)
    if run is not None:  # before, Hydra's logging would write to the screen
        logging.getLogger("minisc").error("%s", made_visible(str(told or error)), exc_info=None if isinstance(error, UserError) else error)
    if told is None:
        path = run / "minisc.log" if run else _left_behind(error)
        first = f"{type(error).__name__}: {str(error)[:300]}".splitlines()[0]
        unforeseen = UserError(
            f"something went wrong that we did not foresee: {first}", where=f"the whole story is in {screens.near(path)}",
            do="report it with that file; the same line goes on where it stopped",
        )  # fmt: skip
        screens.failure(terminal.console, unforeseen)
        return 1
    screens.failure(terminal.console, told)
    return 2


LAUNCHERS = ("joblib", "submitit", "ray")  # of Hydra's ecosystem, each tried with a sweep of ours (tests/test_launchers.py)


def _left_behind(error: Exception) -> Path:
    """A file with the traceback of what happened before there was a run, and so a log."""
    with tempfile.NamedTemporaryFile("w", prefix="minisc-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return Path(file.name)


def _of_hydra(error: Exception) -> UserError | None:
    """What Hydra and OmegaConf say of a command line, in our form."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = bool(frames) and any(f"/{name}/" in frames[-1].filename.replace("\\", "/") for name in ("hydra", "omegaconf"))
    if not isinstance(error, (HydraException, OmegaConfBaseException)) and not (theirs and isinstance(error, ValueError)):
        return None
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    more = " ".join(lines[1:]).partition("Config search path")[0].strip()[:400]
    do = "see what there is: --help; all settings: --cfg job"
    if missing := re.search(r"Could not (?:load|find) 'hydra/launcher/(\w+)'", str(error)):
        name = missing[1].partition("_")[0]
        do = f"pip install hydra-{name}-launcher" if name in LAUNCHERS else did_you_mean(missing[1], LAUNCHERS)
        return UserError(f"there is no launcher {missing[1]!r} here", where=f"hydra/launcher={missing[1]}", do=do)
    if missing := re.search(r"Could not (?:load|find) '(\w+)/(\w+)'", str(error)):
        options = [path.stem for path in (CONF / missing[1]).glob("*.yaml")]
        return UserError(
            f"there is no option {missing[2]!r} of {missing[1]!r}",
            where=f"{missing[1]}={missing[2]}",
            do=did_you_mean(missing[2], options) if options else do,
        )
    return UserError(lines[0], where=more, do=do)


def _check_words(words: list[str]) -> None:
    """What Hydra would answer less helpfully."""
    for word in words:
        key, _, value = word.partition("=")
        if key in ("+recipe", "recipe") and re.fullmatch(r"[\w,]*", value):  # a sweep's list, too
            for name in value.split(","):
                if name not in recipes():
                    raise UserError(f"there is no recipe {name!r}", where=word, do=did_you_mean(name, recipes()))
        if key == "recipe":
            raise UserError("a recipe is added with a plus", where=word, do=f"+recipe={value}")
        mirror.refuse_credentials(word)  # before it is written anywhere


def _job(cfg: DictConfig) -> float | None:
    """One run: Hydra calls it once, or once a job of a multirun; returns the final bits per byte, for sweepers that choose by it.

    A job of a multirun that fails says so and lets the others run: the closing table has it.
    """
    told = HydraConfig.get()
    beside = told.mode == RunMode.MULTIRUN and told.runtime.choices.get("hydra/launcher") != "basic"
    if beside:  # a launcher's own way to start processes (joblib's loky) is unknown in those that our engine starts
        multiprocessing.set_start_method("spawn", force=True)
    terminal = Terminal(job=f"job {told.job.num}: " if beside else "")
    run = Path(told.runtime.output_dir)
    try:
        with _claimed(run):
            figures = _run(cfg, terminal)
    except Exception as error:
        if (stopped := behind(error)) is not None:
            raise stopped from error
        status = _failed(error, terminal, run)
        with suppress(UserError):  # a place that does not answer was the failure itself
            mirror.send(run)
        if told.mode != RunMode.MULTIRUN:
            sys.exit(status)
        return None
    score = figures.get("bits_per_byte")
    return float(score) if isinstance(score, (int, float)) else None


@contextmanager
def _claimed(run: Path) -> Iterator[None]:
    """One process writes into a run's folder; two that were started in the same second would have the same."""
    with (run / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                "another run, started in the same second, writes into this folder", where=str(run), do="run the same line again"
            ) from error
        except OSError:
            pass  # a file system without locks
        yield


class _Sweep:
    """Jobs of a multirun that failed; Hydra makes the callback, so they cannot be passed along."""

    failed: ClassVar[list[str]] = []


class Sweep(Callback):
    """What Hydra calls when a multirun is over: the closing table, with the best job named."""

    def on_multirun_end(self, config: DictConfig, **words: Any) -> None:
        folder = Path(str(config.hydra.sweep.dir))
        _Sweep.failed = sweep_table(Terminal(), folder)
        mirror.send(folder)


def _run(cfg: DictConfig, terminal: Terminal) -> dict[str, Any]:
    check_root(cfg)
    told = HydraConfig.get()
    out = mirror.local(str(cfg.out))
    cfg.out = str(mirror.kept(str(cfg.out)))  # what options keep under ${out} (downloads, blobs) stays on this machine
    values = plain(cfg)
    steps: dict[str, Step] = {name: build(node, f"steps.{name}") for name, node in values["steps"].items()}
    engine = build(values["engine"], "engine")
    assert isinstance(engine, Engine)
    run = Path(told.runtime.output_dir)
    story = Story(command=_command(), recipe=told.runtime.choices.get("recipe") or "custom")
    mirror.match(out, (MANIFEST, STORY))  # what there is in the store and of runs
    with engine.open() as mapper:
        mind_signals()  # an engine may have brought handlers of its own
        context = Context(
            out=out, run=run, engine=mapper, speak=terminal, hashes=Hashes(Path(values["out"]) / "store" / "hashes.json"),
            name=f"{story.recipe}/{run.name}",
        )  # fmt: skip
        lacking: list[UserError] = []
        nodes = plan(steps, values["inputs"], context, lacking if values["plan_only"] else None)
        expected = costs(nodes, context)
        screens.plan_table(terminal, nodes, expected)
        if values["plan_only"]:
            for error in lacking:
                terminal.warn(f"a run would stop before its first step:\n{error}")
            terminal.line("plan only: nothing was run")
            return {}
        done = execute(nodes, story, context, expected)
        screens.closing_table(terminal, done, context)
        mirror.send(run)
        return figures_of(done)


WORDS = "MINISC_WORDS"  # the command line, for jobs that a launcher starts in other processes


def _command() -> str:
    return " ".join(["python -m minisc", os.environ.get(WORDS, "")])


def job_name(number: Any, overrides: Any) -> str:
    """The folder of a multirun's job: `0,max_lr=0.001,model=tiny`: its number, and what is not the same in all jobs."""
    words = [word for word in shlex.split(os.environ.get(WORDS, "")) if not word.startswith("-")]
    parsed = OverridesParser.create().parse_overrides(words)
    same = {word.key_or_group for word in parsed} - {word.key_or_group for word in parsed if word.is_sweep_override()}
    own = {key: value for key, _, value in (word.lstrip("+~").partition("=") for word in overrides) if key not in same}
    short = [f"{key.rsplit('.', 1)[-1]}={value}" for key, value in own.items()]
    return re.sub(r"[^A-Za-z0-9._,=+-]+", "-", ",".join([str(number), *short]))[:LONGEST_NAME]


def environment(name: str, *default: Any) -> Any:
    """`${oc.env:NAME}` as OmegaConf knows it, but for secrets: a setting is written into logs, manifests and reports."""
    if SECRET.search(name):
        raise UserError(
            "a secret is read from the environment by what needs it, never through a setting", where=f"${{oc.env:{name}}}",
            do=f"export {name}=..., and take it out of the configuration",
        )  # fmt: skip
    return env(name, *default)


SECRET = re.compile(r"TOKEN|SECRET|KEY|PASSW|CREDENTIAL|COOKIE|AUTH", re.IGNORECASE)  # in the name of a variable
LONGEST_NAME = 120  # characters of a folder's name
OmegaConf.register_new_resolver("minisc_job", job_name, replace=True)
OmegaConf.register_new_resolver("oc.env", environment, replace=True)
OmegaConf.register_new_resolver(
    "minisc_here", lambda place: str(mirror.local(str(place))), replace=True
)  # runs are written here, then sent


def check_root(cfg: DictConfig) -> None:
    """R9: refuse a root key that nobody declared; Hydra lets `+recpie=tiny` in."""
    known = {str(key) for key in OmegaConf.load(CONF / "config.yaml")} | {path.name for path in CONF.iterdir() if path.is_dir()}
    for key in map(str, cfg):
        if key not in known:
            raise UserError(f"there is no setting {key!r}", where=f"+{key}={cfg[key]}", do=did_you_mean(key, known | {"recipe"}))


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The whole configuration as dicts, lists and numbers, every interpolation followed."""
    try:
        values = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise UserError("a setting has no value yet", where=str(error.full_key), do=f"{error.full_key}=<value>") from error
    except OmegaConfBaseException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UserError):  # of a resolver of ours
            cause = cause.__cause__
        if cause is not None:
            raise cause from None
        raise UserError(
            str(error).splitlines()[0], where=str(getattr(error, "full_key", "")), do="see what is there: add --cfg job"
        ) from error
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}
