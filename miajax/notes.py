"""Notes of results: sentences that know what they are about, so that those that say the same can be told as one."""

import re
import string
from collections.abc import Sequence
from typing import Any, Self

_NAME = "[a-z][a-z0-9_]*"
_HEADED = re.compile(f"((?:all attacks|{_NAME})(?:, {_NAME})*): (.+)", re.DOTALL)
_NOT_DONE = re.compile(f"({_NAME}) was not ([^:]+): it (.+)[.]", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.]\d+)?(?:e-?\d+)?(?![\w,]|[.]\d|[.][.])")


class Note(str):
    """A sentence for the ``notes`` of ``results.json``, which holds its text.

    Attributes:
      words: what stands before, between and after its numbers, names left out.
      numbers: as they are written.
      about: names in front of it, such as attacks; none where it is about everything.
      null: whether it says why figures are null.
      several: the words where it is about several; None where they are the same and a colon follows the names.
    """

    words: tuple[str, ...]
    numbers: tuple[str, ...]
    about: tuple[str, ...]
    null: bool
    several: tuple[str, ...] | None

    def __new__(
        cls,
        words: tuple[str, ...],
        numbers: tuple[str, ...] = (),
        about: tuple[str, ...] = (),
        null: bool = False,
        several: tuple[str, ...] | None = None,
    ) -> Self:
        text = "".join(part for pair in zip(words, (*numbers, ""), strict=True) for part in pair)
        apart = ": " if several is None else " "
        made = super().__new__(cls, f"{', '.join(about)}{apart}{text}" if about else text)
        made.words, made.numbers, made.about, made.null, made.several = words, numbers, about, null, several
        return made

    @classmethod
    def from_json(cls, text: str) -> "Note":
        """The note as far as its text tells: the names that stand in front of it, and the numbers in what follows."""
        if found := _NOT_DONE.fullmatch(text):
            return not_done(*found.groups())
        if (found := _HEADED.fullmatch(text)) is None:
            return as_note(text)
        names, told = found[1].split(", "), found[2]
        words, numbers = tuple(_NUMBER.split(told)), tuple(_NUMBER.findall(told))
        return cls(words, numbers, tuple(names), " is null: " in told or " are null: " in told)

    @property
    def apart(self) -> str:
        """What stands between the names and the words."""
        return ": " if self.several is None else " "

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.words, self.numbers, self.about, self.null, self.several


def noted(template: str, *numbers: Any, about: Sequence[str] = (), null: bool = False, **words: str) -> Note:
    """A note from a format string.

    Args:
      template: ``{}`` stands for a number, with its format if need be, ``{name}`` for words.
      numbers: what may differ among notes that say the same.
      about, null: see ``Note``.
      words: by name; the numbers of one that is a note are numbers still.
    """
    pieces, said, given = [""], list[str](), iter(numbers)
    for literal, field, form, _ in string.Formatter().parse(template):
        pieces[-1] += literal
        if field:
            part = as_note(words[field])
            pieces[-1] += part.words[0]
            pieces += part.words[1:]
            said += part.numbers
        elif field is not None:
            said.append(format(next(given), form or ""))
            pieces.append("")
    return Note(tuple(pieces), tuple(said), tuple(about), null)


def not_done(name: str, done: str, reason: str, *numbers: Any) -> Note:
    """``NAME was not run: it REASON.``, with what was not done, and its numbers."""
    one, each = (
        noted(f"{was} not {done}: {who} {{reason}}.", *numbers, reason=reason)
        for was, who in (("was", "it"), ("were", "each"))
    )
    return Note(one.words, one.numbers, (name,), several=each.words)


def as_note(text: str) -> Note:
    """A note as it is; any other sentence as one without names and numbers."""
    return text if isinstance(text, Note) else Note((str(text),))


def headed(names: Sequence[str], text: str) -> Note:
    """A note with the names of what it is about in front of it, and those that it has after them."""
    made = as_note(text)
    before = f"{', '.join(made.about)}{made.apart}" if made.about else ""
    return Note((before + made.words[0], *made.words[1:]), made.numbers, tuple(names), made.null)
