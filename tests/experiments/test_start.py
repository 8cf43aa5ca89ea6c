"""A command starts fast: what only some runs need is not imported by all."""

import subprocess
import sys

HEAVY = ("scipy.stats", "sklearn", "matplotlib", "orbax", "dp_accounting", "pyarrow", "pandas", "torch", "tensorflow")


def test_the_main_command_imports_nothing_that_it_may_not_need():
    code = f"import sys, experiments.lira; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
