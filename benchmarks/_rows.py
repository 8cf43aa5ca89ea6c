"""Rows of a comparison: printed as a table, written as JSON beside the machine they were measured on."""

import dataclasses
import itertools
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._machine import machine


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure, ours beside the rivals'.

    Attributes:
      name: what was measured, with its sizes.
      unit: of every number of the row.
      ours: our raw repeats.
      rivals: raw repeats by rival; what is only common practice and what was scaled from a part says so in its name.
      higher_is_better: True for rates, False for times and sizes.
      common_practice: rivals that are shown but that the headline ratio leaves out.
    """

    name: str
    unit: str
    ours: Sequence[float]
    rivals: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    higher_is_better: bool = False
    common_practice: tuple[str, ...] = ()

    @property
    def ratio_best(self) -> float | None:
        """How many times better our median is than the best tuned rival's; None without one."""
        ratios = [self.ratio(rival) for rival in self.rivals if rival not in self.common_practice]
        return min(ratios, default=None)

    def ratio(self, rival: str) -> float:
        """How many times better our median is than this rival's."""
        ours, theirs = statistics.median(self.ours), statistics.median(self.rivals[rival])
        return ours / theirs if self.higher_is_better else theirs / ours


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """Prints medians with their spread (least to greatest repeat) and ratios."""
    table = Table("figure", "unit", "ours", "rival", "theirs", "ratio", title=title)
    for row in rows:
        table.add_row(row.name, row.unit, _spread(row.ours))
        for rival, repeats in row.rivals.items():
            note = " (common practice)" if rival in row.common_practice else ""
            table.add_row("", "", "", rival + note, _spread(repeats), f"{row.ratio(rival):.3g}x")
    Console(width=160).print(table)


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Writes ``{machine, command, rows[{name, unit, ours, rivals{name: value}, ratio_best, repeats}]}`` of medians."""
    write_content(path, {"rows": [_as_json(row) for row in rows]})


def write_content(path: Path, content: Mapping[str, Any]) -> None:
    """Writes what was measured beside the machine and the command."""
    path.write_text(json.dumps({"machine": machine(), "command": _command(), **content}, indent=1) + "\n")


def replace_part(path: Path, part: str, rows: Sequence[Row], order: Sequence[str]) -> None:
    """Writes the rows of one part of a suite into its file; those of other parts stay.

    The file is as ``write_json`` makes it, each row with its ``part``, and ``parts{name: {machine, command}}``: parts
    may have been measured one by one.
    """
    there: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"rows": [], "parts": {}}
    command = _command()
    kept = [row for row in there["rows"] if row["part"] != part]
    kept += [{"part": part, **_as_json(row)} for row in rows]
    kept.sort(key=lambda row: order.index(row["part"]))
    parts = {**there["parts"], part: {"machine": machine(), "command": command}}
    parts = {name: parts[name] for name in order if name in parts}
    content = {"machine": machine(), "command": command, "parts": parts, "rows": kept}
    path.write_text(json.dumps(content, indent=1) + "\n")


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "ours": statistics.median(row.ours),
        "rivals": {name: statistics.median(repeats) for name, repeats in row.rivals.items()},
        "common_practice": list(row.common_practice),
        "ratio_best": row.ratio_best,
        "repeats": {"ours": list(row.ours)} | {name: list(repeats) for name, repeats in row.rivals.items()},
    }


def _command() -> str:
    """What was typed; a file is named by what it is called, not by where it lay."""
    arguments = [Path(value).name if before == "--json" else value for before, value in itertools.pairwise(sys.argv)]
    return " ".join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *arguments])


def _spread(repeats: Sequence[float]) -> str:
    middle = f"{statistics.median(repeats):.4g}"
    return middle if len(repeats) == 1 else f"{middle} ({min(repeats):.4g} to {max(repeats):.4g})"
