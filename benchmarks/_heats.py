"""Short races of PyTorch's variants, which choose who meets ours in the final."""

import contextlib
from collections.abc import Mapping, Sequence

from benchmarks._contest import Contender, ContenderFailed, Running, running
from benchmarks._rows import Row

STEPS = "model-steps/s"


@contextlib.contextmanager
def leaving_out():
    """A rival that does not run here (no C++ compiler for ``torch.compile``, say) is named and left out."""
    try:
        yield
    except ContenderFailed as error:
        print(f"left out: {error}")


def run_heats(
    families: Mapping[str, Sequence[Contender]], headline: Running, compile_s: dict[str, float], keep: int = 2
) -> tuple[Row, list[Contender]]:
    """One short race each; the table of them, and the fastest of each family. Fills in first compile times.

    Args:
      families: variants by kind.
      headline: ours, measured beside each.
      compile_s: seconds by contender, filled in.
      keep: how many of each family go on.
    """
    rates: dict[str, list[float]] = {}
    ours: list[float] = []
    winners: list[Contender] = []
    for family in families.values():
        for contender in family:
            with leaving_out(), running(contender, 0.5) as run:
                ours.append(headline.measure())
                rates[contender.name] = [run.measure() for _ in range(3)]
                compile_s[contender.name] = run.compile_seconds
        placed = [c for c in family if c.name in rates]
        winners += sorted(placed, key=lambda c: max(rates[c.name]), reverse=True)[:keep]
    row = Row("heats of PyTorch variants, which choose the finalists", STEPS, ours, rates, higher_is_better=True)
    return row, winners
