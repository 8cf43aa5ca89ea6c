"""How a field of figures stands in JSON, where that is not by its own name: see ``json_form``."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Form:
    """The annotation of a field: ``Annotated[Figure, Form(chance="chance_advantage")]``.

    Attributes:
      together: its figures are ``{value, ci}``.
      spread: its own fields stand beside those around it.
      bare: its figures have no key for an interval.
      left_out: its key is missing where it is None.
      hollow: None is ``{}``.
      ends: an interval that is not there is ``[null, null]``.
      chance: key of what chance shows, or empty.
      key: its key, where that can be no name.
    """

    together: bool = False
    spread: bool = False
    bare: bool = False
    left_out: bool = False
    hollow: bool = False
    ends: bool = False
    chance: str = ""
    key: str = ""


TOGETHER, SPREAD, BARE, LEFT_OUT = Form(together=True), Form(spread=True), Form(bare=True), Form(left_out=True)
HOLLOW, ENDS = Form(hollow=True), Form(ends=True)
