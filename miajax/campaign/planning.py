"""The execution plan of a campaign: chosen once, by trials if asked, kept in the manifest, taken up on going on."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from miajax.campaign.config import Setup
from miajax.campaign.failures import refuse_what_never_fits
from miajax.campaign.stored import stored_plan
from miajax.runs.folder import RunFolder
from miajax.runs.integrity import array_hash
from miajax.training.plan import ExecutionPlan, choose_plan
from miajax.training.tuner import candidates, tune, worth_tuning


def planned(
    setup: Setup, path: Path, facts: Mapping[str, Any], say: Callable[[str], None]
) -> tuple[ExecutionPlan, RunFolder, str | None]:
    """The plan of a campaign, its folder, and a note where models before were trained under another plan.

    Args:
      setup: the campaign.
      path: its folder, new or begun.
      facts: what else the manifest of a new run holds.
      say: hears of trials.

    Raises:
      UserError: the folder belongs to another configuration, or a flag of the plan makes no sense.
    """
    if (path / "manifest.json").is_file():
        refuse_what_never_fits(setup, _asked(setup))
        folder = folder_of_run(setup, path, facts)
    else:
        folder = folder_of_run(setup, path, facts, *new_plan(setup, say))
    stored = stored_plan(folder)
    here = on_this_machine(setup, stored)
    return here, folder, note_on_change(here, stored)


def new_plan(setup: Setup, say: Callable[[str], None]) -> tuple[ExecutionPlan, list[dict[str, Any]]]:
    """The plan of a new run on this machine, and the trials behind it as JSON, fastest first.

    Raises:
      UserError: a flag of the plan makes no sense, or the smallest group does not fit.
    """
    plan = _asked(setup)
    refuse_what_never_fits(setup, plan)
    return _tuned(setup, plan, functools.partial(_chosen, setup), say)


def folder_of_run(
    setup: Setup,
    path: Path,
    facts: Mapping[str, Any],
    plan: ExecutionPlan | None = None,
    trials: Sequence[Mapping[str, Any]] = (),
) -> RunFolder:
    """The folder of a campaign: the one that is there, or a new one that ``plan`` and its trials are written into.

    Raises:
      UserError: it belongs to another configuration.
    """
    scaling = setup.trainer.scaling
    inputs = {} if scaling.mean is None else {"input_scaling": dataclasses.asdict(scaling)}
    hashes = {"labels_sha256": array_hash(setup.dataset.labels)}
    begun = {} if plan is None else {"plan": dataclasses.asdict(plan)}
    tuning = {"tuning": list(trials)} if trials else {}
    return RunFolder.create(path, setup.identity(), {**begun, **hashes, **inputs, **tuning, **facts})


def on_this_machine(setup: Setup, stored: ExecutionPlan, *, own_group: bool = False) -> ExecutionPlan:
    """How a run goes on here that a stored plan began: by its chunk and lowering, unless others are asked for.

    ``own_group``: groups are of the size that this machine allows, instead of the run's.
    """
    config = setup.config
    here = _chosen(
        setup,
        chunk=config.chunk or stored.chunk,
        group=config.group or (None if own_group else stored.group),
        lowering=config.lowering or stored.lowering,
    )
    return here if config.chunk is not None else dataclasses.replace(here, query_block=stored.query_block)


def note_on_change(here: ExecutionPlan, stored: ExecutionPlan) -> str | None:
    """What a reader should know where models were trained under another plan than those before."""
    if not (changed := here.differing_bits(stored)):
        return None
    listed = "; ".join(f"{name}: {theirs} before, {mine} now" for name, (mine, theirs) in changed.items())
    return f"Models were trained under different execution plans ({listed}); their bits may differ."


def _asked(setup: Setup) -> ExecutionPlan:
    config = setup.config
    return _chosen(setup, chunk=config.chunk, group=config.group, lowering=config.lowering)


def _chosen(setup: Setup, *, chunk: int | None, group: int | None, lowering: str | None) -> ExecutionPlan:
    config, dataset = setup.config, setup.dataset
    return choose_plan(
        setup.trainer,
        dataset.num_examples,
        config.queries,
        dataset.num_classes,
        parallel=config.parallel,
        chunk=chunk,
        group=group,
        lowering=lowering,
    )


def _tuned(
    setup: Setup, plan: ExecutionPlan, choose: Callable[..., ExecutionPlan], say: Callable[[str], None]
) -> tuple[ExecutionPlan, list[dict[str, Any]]]:
    """The plan after trials, if the campaign wants any, and the trials as JSON, fastest first."""
    config, trainer = setup.config, setup.trainer
    asked = worth_tuning(trainer, plan.platform) if config.tune is None else config.tune
    wanted = candidates(trainer, plan, config.num_shadows, config.lowering, config.chunk)
    if not asked or len(wanted) < 2:
        return plan, []
    if trainer.private is not None:
        say("tuning: private trainings take the plan of this machine without trials")
        return plan, []
    trials = tune(trainer, setup.dataset, plan, wanted, listen=lambda trial: say(f"tuning: {trial.line()}"))
    best = trials[0]
    say(f"tuning: chose {best.lowering} x chunks of {best.chunk}")
    chosen = choose(chunk=best.chunk, lowering=best.lowering, group=config.group)
    return chosen, [dataclasses.asdict(trial) for trial in trials]
