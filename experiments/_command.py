"""What all commands share: flags from dataclasses, defaults from a preset or a run, errors in one line."""

import argparse
import dataclasses
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import jax
import tyro

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.interrupt import Stopped
from miajax.campaign.presets import preset
from miajax.campaign.progress import Reporter, Terminal
from miajax.campaign.run import Incomplete
from miajax.campaign.stored import stored_config
from miajax.errors import UserError
from miajax.runs.folder import fingerprint
from miajax.studies.invocation import Invocation
from miajax.studies.results import StudyResult
from miajax.training.devices import use_compilation_cache, use_cpu_cores_as_devices
from miajax.warned import collected_warnings

Flags = TypeVar("Flags")
Options = TypeVar("Options")
Result = TypeVar("Result", bound=StudyResult)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a command starts from and where it writes."""

    preset: str | None = None
    """named campaign whose settings are the defaults of all other flags"""
    run: Path | None = None
    """an existing run folder: its settings are the defaults, its models are used"""
    out: Path | None = None
    """run folder to write; runs/<experiment>-<dataset>-<fingerprint> when not given"""


def _named(argv: Sequence[str]) -> argparse.Namespace:
    """``--preset`` and ``--run``, which give the defaults of all other flags."""
    _refuse_urls(argv)
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--preset")
    early.add_argument("--run", type=Path)
    return early.parse_known_args(list(argv))[0]


def _refuse_urls(argv: Sequence[str]) -> None:
    """No flag takes a URL, and a path that looks like one would become a local folder of that name.

    Raises:
      UserError: one was given.
    """
    flag = ""
    for word in argv:
        name, joined, value = word.partition("=") if word.startswith("--") else ("", "", word)
        flag = name or flag
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", value if joined or not name else ""):
            raise UserError(
                f"{flag} {value} is a URL", expected="a path on this machine",
                remedy="Copy files from there before, and results to there afterwards",
            )


def _refuse_debugging_of_nan() -> None:
    """JAX's checks would stop at the first model that has no loss yet or score that cannot be given.

    Raises:
      UserError: ``JAX_DEBUG_NANS`` or ``JAX_DEBUG_INFS`` is on.
    """
    for name in ("jax_debug_nans", "jax_debug_infs"):
        if getattr(jax.config, name):
            raise UserError(
                f"{name.upper()} is on, and NaN and infinity mark here what has no value (epochs to come, models that "
                "diverged, examples without a score)",
                expected="it to be off",
                remedy=f"Unset {name.upper()}: models that diverge are found and named without it",
            )


def defaults_from(
    argv: Sequence[str], wishes: Mapping[str, Any] = MappingProxyType({}), start: str = "digits"
) -> CampaignConfig:
    """The campaign that ``--run`` or ``--preset`` names, else the one for digits; ``--dataset`` alone keeps its recipe.

    Args:
      argv: what was typed.
      wishes: fields that an experiment sets otherwise where no run is given.
      start: preset to start from where neither is named.

    Raises:
      UserError: an unknown preset, or no run in that folder.
    """
    known = _named(argv)
    if known.run is not None:
        return stored_config(known.run)
    return dataclasses.replace(preset(known.preset or start), **wishes)


def parse(kind: type[Flags], default: Flags, argv: Sequence[str], description: str, prog: str) -> Flags:
    """Flags of a dataclass, nested dataclasses flat; ``--help`` and flags that don't parse leave as tyro does (2)."""
    _refuse_urls(argv)
    return tyro.cli(
        tyro.conf.configure(tyro.conf.OmitArgPrefixes, tyro.conf.FlagConversionOff)(kind),
        args=list(argv),
        default=default,
        description=description,
        prog=prog,
    )


def folder_of(place: Place, experiment: str, dataset: str, identity: Mapping[str, Any]) -> Path:
    """Where this run lies: what was named, or a folder of its own for all that its models depend on."""
    if place.out is not None and place.run is not None and place.out != place.run:
        raise UserError(
            f"--out {place.out} and --run {place.run} name two folders",
            expected="one of them",
            remedy="--run continues and scores a run in its own folder",
        )
    named = place.out or place.run
    return named or Path("runs") / f"{experiment}-{dataset.replace(':', '-')}-{fingerprint(identity)[:8]}"


def command_line(prog: str, argv: Sequence[str]) -> str:
    """What was typed, to be typed again."""
    return shlex.join([*prog.split(), *argv])


def study(
    name: str,
    about: str | None,
    begun: float,
    options: Options,
    run: Callable[[Setup, Path, Options, Reporter, Invocation], Result],
    show: Callable[[Mapping[str, Any]], None],
    wishes: Mapping[str, Any] = MappingProxyType({}),
    start: str = "digits",
    identity: Callable[[Setup, Options], Mapping[str, Any]] = lambda setup, _: setup.identity(),
    stored: Callable[[Path], tuple[CampaignConfig, Options]] | None = None,
) -> Callable[[Sequence[str]], Result]:
    """The command of a study that starts from a shadow campaign; call it when everything is imported.

    Args:
      name: of the experiment.
      about: what ``--help`` says first.
      begun: ``time.perf_counter()`` before the imports, which count.
      options: the study's own flags, with their defaults.
      run: the study.
      show: prints its results.
      wishes: fields of the campaign whose defaults are the experiment's own, where no run is given.
      start: preset that gives the defaults where none is named.
      identity: JSON of all that the study's models depend on; that of the campaign when not given.
      stored: reads ``--run`` where a study's folder is no run folder but holds several.
    """
    import_s = time.perf_counter() - begun
    prog = f"python -m experiments.{name}"
    fields = [("place", Place), ("campaign", CampaignConfig), (name, type(options))]
    flags_of = dataclasses.make_dataclass("Flags", fields, frozen=True)

    def command(argv: Sequence[str]) -> Result:
        run_folder = _named(argv).run
        if stored is not None and run_folder is not None:
            campaign, own = stored(run_folder)
        else:
            campaign, own = defaults_from(argv, wishes, start), options
        default = flags_of(Place(), campaign, own)
        flags: Any = parse(flags_of, default, argv, (about or "").strip(), prog)
        typed = any(re.match("--batch[_-]size(=|$)", word) for word in argv)
        setup, own = Setup.of(flags.campaign, fit_batch=not typed), getattr(flags, name)
        called = Invocation(command_line(prog, argv), import_s, begun)
        folder = folder_of(flags.place, name, setup.dataset.name, identity(setup, own))
        result = run(setup, folder, own, Terminal(), called)
        show(result.results)
        print_end(result.results["timing"], result.folder)
        return result

    return command


def print_end(timing: Mapping[str, float], folder: Path) -> None:
    """Where the seconds went and where the report lies, on standard output."""
    print("seconds: " + ", ".join(f"{part.removesuffix('_s')} {seconds:.1f}" for part, seconds in timing.items()))
    print(f"report: {folder / 'report.html'}")


def main(run: Callable[[Sequence[str]], Any]) -> None:
    """Runs a command: ``UserError`` prints one line and exits with 2, an interruption with 130."""
    use_cpu_cores_as_devices()
    use_compilation_cache()
    argv = sys.argv[1:]
    try:
        _refuse_debugging_of_nan()
        with collected_warnings():  # of reading data and setting up, too
            run(argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except Incomplete as news:
        print(news, file=sys.stderr)
    except (Stopped, KeyboardInterrupt):
        print("\nStopped; what was finished is kept. The same command continues from there.", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
