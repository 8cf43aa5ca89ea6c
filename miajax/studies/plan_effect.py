"""What a change of execution plan does to signals, measured instead of assumed."""

from typing import Any

import numpy as np

from miajax.runs.folder import RunFolder
from miajax.studies.programs import Programs


def effect_of_plan(programs: Programs, folder: RunFolder, models: range, member: np.ndarray) -> dict[str, Any]:
    """Trains finished models again and compares their scaled logits with the stored ones.

    Args:
      programs: of the new plan.
      folder: the run.
      models: finished models, the first of a stored group.
      member: ``bool[M, N]``.

    Returns:
      JSON: ``models`` (how many), ``max_difference`` of a scaled logit, ``rank_correlation`` (Spearman) over all cells.
    """
    from scipy.stats import rankdata  # a third of a second, for a rare measurement

    ids = np.arange(models.start, models.stop)
    group = programs.ensemble.start(ids, member[ids], programs.width)
    programs.ensemble.advance(group, programs.ensemble.trainer.recipe.epochs)
    now = programs.finish(group).pool.scaled_logit
    before = folder.gather("signals", models.stop)[models.start :]
    known = np.isfinite(now) & np.isfinite(before)
    return {
        "models": len(ids),
        "max_difference": float(np.abs(now - before)[known].max()),
        "rank_correlation": float(np.corrcoef(rankdata(now[known]), rankdata(before[known]))[0, 1]),
    }
