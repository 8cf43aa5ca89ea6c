"""``python -m experiments.saliency`` is ``miajax saliency``."""

from miajax.cli.saliency import run

if __name__ == "__main__":
    run.main("python -m experiments.saliency")
