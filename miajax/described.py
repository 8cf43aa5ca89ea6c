"""What the fields of a dataclass mean: read once from its source, for ``--help`` and for ``help()``."""

import ast
import contextlib
import functools
import inspect
import itertools
import re
import textwrap
from typing import TypeVar

Kind = TypeVar("Kind", bound=type)
_WIDTH = 100


def described(kind: Kind) -> Kind:
    """A decorator, above ``dataclass``: ``help()`` lists the strings below the fields as ``Attributes:``.

    Python drops these strings when it compiles a class. The source is read when the docstring is first asked for, so
    that the import pays nothing.

        @described
        @dataclasses.dataclass(frozen=True)
        class Options:
            "How fast to go."

            rate: float = 1.0
            "in units a second"
    """
    kind.__doc__ = _WithFields(kind.__doc__)  # type: ignore[assignment]  # what is looked up on the class is text
    return kind


class _WithFields:
    """A docstring, and after it the fields that it does not name itself."""

    def __init__(self, written: str | None):
        self.written = written

    def __get__(self, instance: object, kind: type) -> str | None:
        plain = _written(kind)
        named = _listed(plain)
        lines = [
            textwrap.fill(f"{name}: {text}.", _WIDTH, initial_indent="  ", subsequent_indent="    ")
            for name, text in field_help(kind).items()
            if name not in named
        ]
        if not lines:
            return self.written
        title = [] if re.search(r"^Attributes:$", plain, re.MULTILINE) else ["", "Attributes:"]
        return "\n".join([plain.rstrip(), *title, *lines])


@functools.cache
def field_help(kind: type) -> dict[str, str]:
    """What the strings below a dataclass's fields, or its ``Attributes:`` or ``Args:``, say of each."""
    found = _listed(_written(kind))
    body: list[ast.stmt] = []
    with contextlib.suppress(OSError, TypeError):  # made in code: it has no source
        body = getattr(ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0], "body", [])
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[ast.unparse(field.target)] = str(after.value.value)
    return {name: " ".join(text.replace("``", "").split()).rstrip(".") for name, text in found.items()}


def _written(kind: type) -> str:
    """The docstring as it stands in the source, without its indentation; of the nearest class that has one."""
    for owner in kind.__mro__:
        doc = vars(owner).get("__doc__")
        if isinstance(doc, _WithFields):
            doc = doc.written
        if isinstance(doc, str):
            return inspect.cleandoc(doc)
    return ""


def _listed(doc: str) -> dict[str, str]:
    """The entries of ``Attributes:`` or ``Args:``."""
    listed = re.split(r"^(?:Attributes|Args):\n", doc, maxsplit=1, flags=re.MULTILINE)[1:]
    entries = re.findall(r"^  ([\w, ]+): ((?:.+\n?)(?:   +.+\n?)*)", "".join(listed), re.MULTILINE)
    return {name: text for names, text in entries for name in names.split(", ")}
