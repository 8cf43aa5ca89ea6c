"""``python -m experiments.defenses`` is ``miajax defenses``."""

from miajax.cli.defenses import run

if __name__ == "__main__":
    run.main("python -m experiments.defenses")
