"""``python -m experiments.model_card`` is ``miajax model_card``."""

from miajax.cli.model_card import run

if __name__ == "__main__":
    run.main("python -m experiments.model_card")
