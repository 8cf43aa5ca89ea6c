"""Things that users add from outside the package: by a call, by an installed package's entry point, or from a file.

A registry is a mapping from names to things of one kind, ours first. Whatever reads it (tables, reports, help,
contests) sees what was added as well.
"""

import contextlib
import contextvars
import hashlib
import importlib.metadata
import importlib.util
import re
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from miajax.errors import UserError

Thing = TypeVar("Thing")


class Registry(Mapping[str, Thing]):
    """Named things of one kind.

    Installed packages add theirs through the entry-point group ``miajax.<kind>s``, which is read when a name is looked
    up that is not ours, or when all names are listed. An entry point that fails is left out with a warning.

    Args:
      kind: what one of them is called in messages: ``attack``.
      flag: the flag that names one on a command line: ``--attacks``.
      ours: the package's own, by name.
      as_thing: ``(whatever a user hands over, its name, its origin) -> thing``; raises ``UserError`` for what it cannot
        use. The origin of what lies in a file is ``{file, object, sha256}``.
    """

    def __init__(
        self,
        kind: str,
        flag: str,
        ours: Iterable[tuple[str, Thing]],
        as_thing: Callable[[Any, str, Mapping[str, str]], Thing],
    ):
        self.kind, self.flag, self._as_thing = kind, flag, as_thing
        self._things: dict[str, Thing] = dict(ours)
        self._ours = frozenset(self._things)
        self._origins: dict[str, Mapping[str, str]] = {}
        self._installed_read = False

    @property
    def group(self) -> str:
        """The entry-point group of installed packages."""
        return f"miajax.{self.kind.replace(' ', '_')}s"

    def register(self, name: str, thing: Any, origin: Mapping[str, str] | None = None) -> Thing:
        """Adds one under a name of its own and returns it; the same file's object may be added again.

        Raises:
          UserError: the name is taken, or can't name a file, or the thing is none of this kind.
        """
        origin = origin or {}
        if re.fullmatch(r"\w[\w.+-]{0,99}", name) is None:  # files and titles are called after it
            raise UserError(
                f"{self.kind} {name!r} has no name for files and titles",
                expected="up to 100 letters, digits and _ . + -, the first a letter or a digit",
            )
        known = self._things.get(name)
        if known is not None and (known is thing or (origin and self._origins.get(name) == origin)):
            return known
        if known is not None:
            raise UserError(
                f"{self.kind} {name} exists already", expected=f"a name of its own beside {', '.join(self._things)}"
            )
        made = self._as_thing(thing, name, origin)
        self._things[name], self._origins[name] = made, origin
        return made

    def name_of(self, reference: str) -> str:
        """The name behind what a user typed: a known name, or ``path/to/file.py:object``, which is loaded and added.

        Raises:
          UserError: an unknown name, and the known ones are listed; or whatever is wrong with the file.
        """
        if ".py:" in reference:
            thing, origin = load_object(reference, self.flag)
            name = str(getattr(thing, "name", None) or origin["object"])
            self.register(name, thing, origin)
            return name
        if reference not in self:
            raise UserError(
                f"{self.flag} {reference} is unknown",
                expected=f"one of {', '.join(self)}, or path/to/file.py:name",
            )
        return reference

    def names_of(self, references: Iterable[str]) -> tuple[str, ...]:
        """``name_of`` each, once each."""
        return tuple(dict.fromkeys(self.name_of(reference) for reference in references))

    def __getitem__(self, name: str) -> Thing:
        if name not in self._things:
            self._read_installed()
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._things:
            self._read_installed()
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        self._read_installed()
        return iter(self._things)

    def __len__(self) -> int:
        self._read_installed()
        return len(self._things)

    def _read_installed(self) -> None:
        if self._installed_read:
            return
        self._installed_read = True  # before loading: a package may look at the registry while it is imported
        for point in importlib.metadata.entry_points(group=self.group):
            try:
                self.register(point.name, point.load(), {"entry_point": point.value})
            except Exception as error:  # somebody else's package: whatever it raises, the others go on
                warnings.warn(
                    f"{self.kind} {point.name} of the installed package that offers {point.value} is left out: "
                    f"{type(error).__name__}: {error}",
                    stacklevel=2,
                )


class StoredReference(str):
    """``path/to/file.py:name`` as a file names it, not a user: data, which is not run unless it is confirmed.

    Args:
      reference: the text.
      where: file that names it.
      sha256: of the Python file when it was recorded; None where nobody recorded it.
    """

    where: str
    sha256: str | None

    def __new__(cls, reference: str, where: str = "a file", sha256: str | None = None):
        made = super().__new__(cls, reference)
        made.where, made.sha256 = where, sha256
        return made


_TRUSTED = contextvars.ContextVar("miajax_trust_code", default=False)


@contextlib.contextmanager
def trusting_code(trust: bool = True) -> Generator[None]:
    """Within the block, Python files that a run folder names are run if their SHA-256 is the recorded one."""
    token = _TRUSTED.set(trust)
    try:
        yield
    finally:
        _TRUSTED.reset(token)


def _confirm(reference: StoredReference, path: Path, found: str, flag: str) -> None:
    """Refuses code that only a file asks for.

    Raises:
      UserError: nobody confirmed it, or it is not what was recorded.
    """
    what = f"{reference.where} names the Python file {path}, which is not run because a folder asks for it"
    typed = f"type {flag} {reference} to run it as your own"
    if reference.sha256 is None:
        raise UserError(what, expected="a file whose SHA-256 was recorded", remedy=typed.capitalize())
    if reference.sha256 != found:
        raise UserError(
            f"{what}, and it has changed since", expected=f"SHA-256 {reference.sha256[:12]}..., found {found[:12]}...",
            remedy=f"Restore it, or {typed}",
        )  # fmt: skip
    if not _TRUSTED.get():
        raise UserError(
            what, expected="your word for it",
            remedy=f"Look at it, then add --trust_code (it is the file that was recorded), or {typed}",
        )  # fmt: skip


def load_object(reference: str, flag: str) -> tuple[Any, dict[str, str]]:
    """The object that ``path/to/file.py:name`` names, and where it came from. The file is run.

    A ``StoredReference`` is run only within ``trusting_code``, and only if the file is the recorded one.

    Returns:
      The object and ``{file, object, sha256}``.

    Raises:
      UserError: no such file, no such name in it, the file fails, or nobody confirmed it.
    """
    file, _, attribute = reference.rpartition(":")
    try:
        path = Path(file).expanduser()
        content = path.read_bytes() if path.is_file() else None
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{flag} {reference!r} cannot be read ({error})", expected="path/to/file.py:name") from error
    if content is None:
        raise UserError(f"{flag} {reference}: {path} does not exist", expected="path/to/file.py:name")
    sha256 = hashlib.sha256(content).hexdigest()
    if isinstance(reference, StoredReference):
        _confirm(reference, path, sha256, flag)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    try:
        exec(compile(content, path, "exec"), vars(module))  # what was hashed, not what may stand there by now
    except Exception as error:  # the user's own file: whatever it raises is the answer
        raise UserError(f"{flag} {reference}: the file fails with {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        public = ", ".join(name for name in vars(module) if not name.startswith("_"))
        raise UserError(f"{flag} {reference}: {path} has no {attribute}", expected=f"one of {public}")
    return getattr(module, attribute), {"file": path.name, "object": attribute, "sha256": sha256}
