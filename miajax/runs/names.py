"""Names of folders and files: those that come from users, made fit to be parts of paths, and those of groups."""

import re

_LONGEST = 80
UNFINISHED = "in-progress-"
"""What the name of an unfinished group's state begins with; the range of its models follows."""


def path_name(text: str) -> str:
    """``text`` as one part of a path: letters, digits and ``_ . + -`` of ASCII, no leading dot, of bounded length.

    Example:
      >>> path_name("tfds:mnist"), path_name("../../etc/passwd"), path_name("")
      ('tfds-mnist', 'etc-passwd', 'unnamed')
    """
    return re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).lstrip(".-")[:_LONGEST] or "unnamed"


def folder_name(study: str, dataset: str, fingerprint: str) -> str:
    """What a folder is called that was given no name: the fingerprint is of all that its models depend on."""
    return f"{study}-{path_name(dataset)}-{fingerprint[:8]}"


def range_name(models: range) -> str:
    """How a range of model ids is called on disk, both ends included."""
    return f"{models.start:05d}-{models.stop - 1:05d}"


def range_of(name: str) -> range | None:
    """The range that a name is of; None where it is none."""
    if (found := re.fullmatch(r"(\d{5,9})-(\d{5,9})", name, re.ASCII)) is None:
        return None
    models = range(int(found[1]), int(found[2]) + 1)
    return models if models and range_name(models) == name else None
