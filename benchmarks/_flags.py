"""A benchmark's flags are the arguments of its ``main``."""

import dataclasses
import inspect
import sys
import typing
from collections.abc import Callable, Sequence

from miajax.cli.flags import flags_of, parse
from miajax.cli.help import command_help
from miajax.errors import UserError


def call(main: Callable[..., None], argv: Sequence[str] | None = None) -> None:
    """Calls ``main`` with what was typed; a flag's help is its line under ``Args:``.

    Raises:
      SystemExit: 0 after ``--help``; 2, with one line, where a flag is wrong.
    """
    argv = sys.argv[1:] if argv is None else argv
    hints, about = typing.get_type_hints(main), inspect.getdoc(main) or ""
    fields = [
        (name, hints[name], dataclasses.field(default=argument.default))
        if argument.default is not argument.empty
        else (name, hints[name], dataclasses.field())
        for name, argument in inspect.signature(main).parameters.items()
    ]
    kind = dataclasses.make_dataclass("Flags", fields, namespace={"__doc__": about})
    if "--help" in argv or "-h" in argv:
        file = inspect.getsourcefile(main) or ""
        name = inspect.getmodulename(file)
        print(command_help(f"python -m benchmarks.{name}", about.partition("\n\n")[0], flags_of(kind), {}))
        raise SystemExit(0)
    try:
        flags = parse(kind, argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    main(**{name: getattr(flags, name) for name in hints if name != "return"})
