"""The execution plan of a campaign: chosen once, by trials if asked, kept in the manifest, taken up on going on."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
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
    config, dataset = setup.config, setup.dataset
    choose = functools.partial(
        choose_plan,
        setup.trainer,
        dataset.num_examples,
        config.queries,
        dataset.num_classes,
        parallel=config.parallel,
    )
    here, trials = choose(chunk=config.chunk, group=config.group, lowering=config.lowering), []
    refuse_what_never_fits(setup, here)
    if not (path / "manifest.json").is_file():
        here, trials = _tuned(setup, here, choose, say)
    tuning = {"tuning": trials} if trials else {}
    scaling = setup.trainer.scaling
    inputs = {} if scaling.mean is None else {"input_scaling": dataclasses.asdict(scaling)}
    hashes = {"labels_sha256": array_hash(dataset.labels)}
    made = {"plan": dataclasses.asdict(here), **hashes, **inputs, **tuning, **facts}
    folder = RunFolder.create(path, setup.identity(), made)
    stored = stored_plan(folder)
    here = choose(
        chunk=config.chunk or stored.chunk,
        group=config.group or stored.group,
        lowering=config.lowering or stored.lowering,
    )
    if config.chunk is None:
        here = dataclasses.replace(here, query_block=stored.query_block)
    if not (changed := here.differing_bits(stored)):
        return here, folder, None
    listed = "; ".join(f"{name}: {theirs} before, {mine} now" for name, (mine, theirs) in changed.items())
    return here, folder, f"Models were trained under different execution plans ({listed}); their bits may differ."


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
