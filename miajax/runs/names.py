"""Names that come from users and files, made fit to be parts of paths."""

import re

_LONGEST = 80


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
