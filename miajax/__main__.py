"""``python -m miajax`` is ``miajax``."""

from miajax.cli import main

if __name__ == "__main__":
    main(prog="python -m miajax")
