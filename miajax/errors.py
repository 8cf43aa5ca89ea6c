"""The one error that a user is meant to read."""

_HEAD, _TAIL = 1500, 400  # characters of a line that are kept where a file's own words make it longer


class UserError(Exception):
    """Bad input or a refused request, told in one line: what, where, what was expected, the remedy.

    Commands print it and exit with status 2; nothing has been overwritten when it is raised.

    Args:
      what: what is wrong, and where.
      expected: what would be right.
      remedy: what to do, a sentence.

    Example:
      >>> str(UserError("--seed -1", expected="0 or more", remedy="Leave it out"))
      '--seed -1; expected 0 or more. Leave it out.'
    """

    def __init__(self, what: str, *, expected: str = "", remedy: str = ""):
        parts = [what.rstrip(".")]
        if expected:
            parts.append(f"expected {expected}".rstrip("."))
        line = "; ".join(parts) + "."
        if remedy:
            line += f" {remedy}" if remedy.endswith("?") else f" {remedy.rstrip('.')}."
        line = " ".join(line.split())
        if len(line) > _HEAD + _TAIL:
            line = f"{line[:_HEAD]} [...] {line[-_TAIL:]}"
        super().__init__(line)
