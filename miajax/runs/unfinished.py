"""The stored state of a group that is still training: bound to its models and its run, and hashed with all it holds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from miajax.errors import UserError
from miajax.runs.atomic import atomic_folder, hash_of, read_json, read_sealed, write_sealed
from miajax.runs.checkpoints import load_tree, save_tree

_LONGEST = 1e12  # seconds


class Progress(NamedTuple):
    """Where an unfinished group goes on from.

    Attributes:
      tree: what was stored; None where the group is trained from its start.
      seconds: that training has taken until then.
      note: what a reader of the results should know; empty where there is nothing.
    """

    tree: Any | None = None
    seconds: float = 0.0
    note: str = ""


def save_unfinished(path: Path, tree: Any, seconds: float, of: Mapping[str, Any]) -> None:
    """Stores a group's state, whole or not at all, in place of the one before.

    Args:
      path: folder of this state.
      tree: a pytree of host arrays.
      seconds: that training has taken.
      of: JSON that says whose state it is.
    """
    with atomic_folder(path) as folder:
        save_tree(folder / "tree", tree)
        write_sealed(folder / "record.json", {**of, "train_s": seconds, "sha256": hash_of(folder / "tree")})


def load_unfinished(
    path: Path, forms: Sequence[Any], of: Mapping[str, Any], hashed: bool, set_aside: Callable[[], Path]
) -> Progress:
    """What ``save_unfinished`` stored last; damage costs the work stored, never bits.

    Args:
      path: folder of this state.
      forms: pytrees of ShapeDtypeStructs that it may have, the one to be reported of first.
      of: whose state it must be.
      hashed: whether the run is of a version that hashes every state.
      set_aside: moves a damaged state away and says where.

    Raises:
      UserError: it is whole and has none of the forms: it was made under other settings.
    """
    if not (path.exists() or path.is_symlink()):
        return Progress()
    old = not hashed and not (path / "record.json").exists()
    try:
        seconds = _seconds_beside(path) if old else check_state(path, of)
    except UserError as error:
        return _from_start(str(error), set_aside)
    failed: UserError | None = None
    for form in forms:
        try:
            tree = load_tree(path if old else path / "tree", form)
        except UserError as error:
            failed = failed or error
            continue
        note = "was resumed from a state that an earlier version stored without a hash: damage could not be told"
        return Progress(tree, seconds, note if old else "")
    assert failed is not None
    if old:
        return _from_start(str(failed), set_aside)
    raise failed


def check_state(path: Path, of: Mapping[str, Any]) -> float:
    """Seconds of training behind a stored state, once it has been seen to be whole.

    Args:
      path: folder of the state.
      of: whose it must be.

    Raises:
      UserError: it is somebody else's, or damaged.
    """
    record = read_sealed(path / "record.json", required=lambda _: True)
    if {name: record.get(name) for name in of} != dict(of):
        raise UserError(f"{path} is the state of other models or of another run")
    if hash_of(path / "tree") != record.get("sha256"):
        raise UserError(f"{path}/tree was changed or damaged")
    seconds = record.get("train_s")
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < _LONGEST:
        raise UserError(f"{path}/record.json says that training took {str(seconds)[:60]} seconds")
    return float(seconds)


def _seconds_beside(path: Path) -> float:
    """As an earlier version kept them; they are told, nothing depends on them."""
    try:
        return float(read_json(path.with_name(f"{path.name}.json"))["train_s"])
    except (UserError, KeyError, TypeError, ValueError):
        return 0.0


def _from_start(why: str, set_aside: Callable[[], Path]) -> Progress:
    return Progress(note=f"was trained from its start: {why.rstrip('.')} What was there lies in {set_aside()}")
