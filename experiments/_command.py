"""What ``miajax.cli.command`` shares with the commands' tests."""

from miajax.cli.command import main

__all__ = ["main"]
