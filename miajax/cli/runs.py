"""Run folders: what is there, is it whole, how two differ, what may go. miajax runs VERB DIR [OTHER] does one of
list (runs in DIR), show (all that a run says of itself), verify (is every byte what was stored), diff (DIR and OTHER)
and gc (what may go; --delete deletes it). Exit status 0: whole, or no difference; 1: damaged, or different.

miajax runs list runs
miajax runs verify runs/lira-digits-1a2b3c4d --json
miajax runs diff runs/lira-digits-1a2b3c4d runs/lira-digits-5e6f7a8b
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from rich.console import Console

from miajax.cli import command, config_file
from miajax.described import described
from miajax.errors import UserError
from miajax.memory import amount
from miajax.report.terminal import print_table, say
from miajax.runs import inspection
from miajax.runs.folder import RunFolder
from miajax.runs.mounts import Wanted, shown
from miajax.studies.invocation import Invocation
from miajax.typed import Json

Verb = Literal["list", "show", "verify", "diff", "gc"]


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    verb: Verb
    """list, show, verify, diff or gc; it may stand first, without its flag"""
    run: Path
    """run folder, or for list, verify and gc one that holds some; it may stand second, without its flag"""
    with_: Path | None = None
    """the other run folder of diff; it may stand third, without its flag"""
    json: bool = False
    """print one JSON object instead of lines for people"""
    delete: bool = False
    """delete what gc names; without it nothing is deleted"""


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What a verb found: JSON, whether all is well, and how people are told."""

    found: Json
    well: bool
    show: Callable[[Console], None]


def act(flags: Flags, _: Invocation) -> Json:
    """Prints the answer.

    Raises:
      SystemExit: 1, see above.
    """
    if (flags.with_ is not None) != (flags.verb == "diff"):
        given = "no second folder" if flags.with_ is None else str(flags.with_)
        raise UserError(f"miajax runs {flags.verb} was given {given}", expected="a second folder for diff alone")
    if flags.delete and flags.verb != "gc":
        raise UserError(f"--delete has no meaning for miajax runs {flags.verb}", expected="miajax runs gc")
    answer = _VERBS[flags.verb](flags)
    if flags.json:
        print(shown(json.dumps(answer.found, indent=2, allow_nan=False)))
    else:
        answer.show(Console(highlight=False))
    if not answer.well:
        raise SystemExit(1)
    return answer.found


def _list(flags: Flags) -> _Answer:
    runs = inspection.found_runs(flags.run)

    def show(console: Console) -> None:
        if not runs:
            say(console, f"no run folder in {flags.run}")
            return
        columns = {"": ["state", "data set", "model", "models", "results", "size", "created"]}
        rows = [
            [
                run.path,
                run.state,
                run.dataset,
                run.model,
                _models(run),
                ", ".join(run.results),
                amount(run.size),
                run.created[:10],
            ]
            for run in runs
        ]
        print_table(console, "run", columns, rows)
        for run in runs:
            if run.problem:
                say(console, f"{run.path}: {run.problem}")

    return _Answer({"runs": [dataclasses.asdict(run) for run in runs]}, True, show)


def _models(run: inspection.Run) -> str:
    return str(run.models) if run.wanted is None else f"{run.models} of {run.wanted}"


def _show(flags: Flags) -> _Answer:
    told = inspection.details(flags.run)

    def show(console: Console) -> None:
        for name, value in told["run"].items():
            if value not in ("", None, (), []):
                say(console, f"{name}: {amount(value) if name == 'size' else value}")
        for part in ("config", "manifest"):
            say(console, f"{part}:")
            for line in _lines(told[part]):
                say(console, f"  {line}")
        for group in told["groups"]:
            failed = f", {len(group['failures'])} failed" if group.get("failures") else ""
            say(console, f"group {group['group']}: {group['models']} models{failed}")
        for name in told["in_progress"]:
            say(console, f"unfinished group {name}: it goes on from a stored state")

    return _Answer(dict(told), True, show)


def _lines(value: Any, where: str = "") -> list[str]:
    """The leaves of JSON, ``name.name: value``."""
    if not isinstance(value, dict):
        return [f"{where}: {json.dumps(value)[:200]}"]
    named = cast(Json, value)
    return [line for name, each in named.items() for line in _lines(each, f"{where}.{name}" if where else name)]


def _verify(flags: Flags) -> _Answer:
    runs = inspection.found_runs(flags.run)
    if not runs:
        RunFolder.open(flags.run)  # says that it is none
    found = {run.path: inspection.problems(Path(run.path)) for run in runs}

    def show(console: Console) -> None:
        for run in runs:
            if not found[run.path]:
                going_on = f", {run.in_progress} groups in progress" if run.in_progress else ""
                say(console, f"{run.path}: whole, {run.state} ({_models(run)} models{going_on})")
            for problem in found[run.path]:
                say(console, f"{run.path}: {problem.part}: {problem.what}")

    told = [
        {"path": run.path, "whole": not found[run.path], "state": run.state,
         "problems": [dataclasses.asdict(each) for each in found[run.path]]}
        for run in runs
    ]  # fmt: skip
    return _Answer({"runs": told}, not any(found.values()), show)


def _diff(flags: Flags) -> _Answer:
    assert flags.with_ is not None
    found = inspection.differing(flags.run, flags.with_)

    def show(console: Console) -> None:
        for each in found:
            say(console, f"{each.of}: {each.what}")
        if not found:
            say(console, "no difference in what models depend on, settings, plan, models and signals")

    told = {
        "run": str(flags.run),
        "with": str(flags.with_),
        "differences": [dataclasses.asdict(each) for each in found],
    }
    return _Answer(told, not found, show)


def _gc(flags: Flags) -> _Answer:
    runs = [Path(run.path) for run in inspection.found_runs(flags.run) if run.state != "unreadable"]
    if not runs:
        RunFolder.open(flags.run)
    found = [path for run in runs for path in RunFolder.open(run).garbage()]
    sizes = {str(path): sum(each.lstat().st_size for each in (path, *path.rglob("*"))) for path in found}
    for run in runs:
        sizes |= {str(run / name): size for name, size in RunFolder.open(run).garbage_in_store().items()}
    if flags.delete:
        for run in runs:
            RunFolder.open(run).collect()

    def show(console: Console) -> None:
        for path, size in sizes.items():
            say(console, f"{'deleted' if flags.delete else 'may go'}: {path} ({amount(size)})")
        total = amount(sum(sizes.values()))
        if not sizes:
            say(console, "nothing may go")
        elif not flags.delete:
            say(console, f"{total} in all; nothing was deleted. Add --delete to delete it.")

    may_go = [{"path": path, "size": size} for path, size in sizes.items()]
    return _Answer({"deleted": flags.delete, "may_go": may_go}, True, show)


_VERBS: dict[Verb, Callable[[Flags], _Answer]] = {
    "list": _list, "show": _show, "verify": _verify, "diff": _diff, "gc": _gc
}  # fmt: skip


_WANTED: dict[str, Wanted] = {"verify": "afresh", "diff": "whole"}  # of a URL; what is damaged there is not seen here


def flagged(argv: Sequence[str]) -> list[str]:
    """Words that stand without a flag, verb and folders, as flags; switches may stand before and between them."""
    names, found, words = iter(("--verb", "--run", "--with")), list[str](), list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            found += [next(names, "--too_many"), word]
        elif word in ("--json", "--delete", "--no_json", "--no_delete", "--help", "-h"):
            found.append(word)
            if words and words[0] in ("True", "False", "true", "false"):
                found.append(words.pop(0))
        else:  # a flag with its value
            found += [word, *([words.pop(0)] if "=" not in word and words and not words[0].startswith("--") else [])]
    return found


class _Command(command.Command[Flags, Json]):
    """Takes verb and folders without their flags."""

    def parse(self, argv: Sequence[str], prog: str | None = None) -> Flags:
        argv = flagged(argv)
        verb = config_file.named("verb", argv) or ""
        wanted = _WANTED.get(verb, "records")
        return dataclasses.replace(self, urls={"run": wanted, "with": wanted})._parsed(argv, prog)

    def _parsed(self, argv: Sequence[str], prog: str | None) -> Flags:
        return super().parse(argv, prog)

    def __call__(self, argv: Sequence[str], prog: str | None = None) -> Json:
        return super().__call__(flagged(argv), prog)


run = _Command("runs", __doc__, Flags, act, why_not="It looks at folders as they are", urls={})
