"""Other finished runs on the same examples, such as those of another seed, as further sets of models."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from miajax.array_files import load_npy
from miajax.attacks.options import AttackOptions
from miajax.errors import UserError
from miajax.metrics.vulnerability import exposure_at_pooled_fpr
from miajax.runs.folder import RunFolder
from miajax.studies.stability.attackers import Ensemble, Exposed, mean_as_member


def check_runs(paths: Sequence[Path], run: Path, content_hash: str) -> None:
    """Whether runs can be set beside one another.

    Args:
      paths: of the other runs.
      run: the run that they stand beside.
      content_hash: of its examples.

    Raises:
      UserError: a folder is no run, or the run itself, or a run on other examples.
    """
    for path in paths:
        if path.resolve() == run.resolve():
            raise UserError(f"--runs {path} is the run itself", expected="other runs, such as of another --seed")
        if RunFolder.open(path).manifest["identity"]["content_hash"] != content_hash:
            raise UserError(f"--runs {path} is of other examples than {run}", expected="runs on the same examples")


def exposed_in(
    ensemble: Ensemble, names: Sequence[str], paths: Sequence[Path], fpr: float, settings: AttackOptions
) -> dict[str, list[Exposed]]:
    """Whom this run and other ones expose, by those of the attacks that every run has stored scores of.

    Args:
      ensemble: this run's models.
      names: attacks.
      paths: of the other runs, one or more.
      fpr: pooled false-positive rate of each run.
      settings: of this run's attacks.
    """
    files = {name: [path / "scores" / f"{name}.npy" for path in paths] for name in names}
    able = [name for name, of in files.items() if all(file.is_file() for file in of)]
    scores, _ = ensemble.scored(able, np.flatnonzero(ensemble.valid), settings)
    found = {
        name: [_exposed(array, ensemble.unit_member(np.flatnonzero(ensemble.valid)), fpr)]
        for name, array in scores.items()
    }
    for place, path in enumerate(paths):
        member = load_npy(path / "membership.npy")
        valid = RunFolder.open(path).gather("valid", len(member))
        for name in found:
            array = load_npy(files[name][place])
            if array.shape != member.shape:
                raise UserError(
                    f"{files[name][place]} holds {list(array.shape)}", expected=f"scores {list(member.shape)}",
                    remedy=f"Score it again: miajax attacks --run {path}",
                )  # fmt: skip
            found[name].append(_exposed(ensemble.unit(name, array[valid]), ensemble.unit_of(member[valid]), fpr))
    return found


def _exposed(scores: np.ndarray, member: np.ndarray, fpr: float) -> Exposed:
    exposure = exposure_at_pooled_fpr(scores, member, np.ones(len(member), bool), fpr)
    return Exposed(exposure, mean_as_member(scores, member))
