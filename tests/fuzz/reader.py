"""What a reader under test is: its sound files, how they are read, how they are mutated."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.mutations import Mutator, cells, head, json_tree, raw, zipped

BYTES: Sequence[Mutator] = (raw, raw, head)
ZIPPED: Sequence[Mutator] = (raw, head, zipped(), zipped())
TEXT: Sequence[Mutator] = (raw, cells, cells)


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
      build: writes its sound files into an empty folder.
      read: reads them, as miajax does.
      mutators: of a file by its name there; empty for files that stay as they are.
    """

    build: Callable[[Path], None]
    read: Callable[[Path], Any]
    mutators: Callable[[str], Sequence[Mutator]]


def only(*names: str, by: Sequence[Mutator] = BYTES) -> Callable[[str], Sequence[Mutator]]:
    """Mutates files whose names end so, all if none is given."""
    return lambda file: by if not names or file.endswith(names) else ()


def sealed(value: Any) -> Any:
    """As a forger seals it."""
    from miajax.runs.atomic import SEAL, _seal

    if not isinstance(value, dict):
        return value
    without = {name: each for name, each in value.items() if name != SEAL}
    return {**without, SEAL: _seal(without)}


def bound(value: Any) -> Any:
    """As a forger seals a manifest, its fingerprint that of its identity."""
    from miajax.runs.identity import fingerprint

    if isinstance(value, dict) and isinstance(value.get("identity"), dict):
        value = {**value, "fingerprint": fingerprint(value["identity"])}
    return sealed(value)


SEALED: Sequence[Mutator] = (raw, json_tree(), json_tree(sealed), json_tree(sealed))
MANIFEST: Sequence[Mutator] = (raw, json_tree(), json_tree(sealed), json_tree(bound), json_tree(bound))
