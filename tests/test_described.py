"""The help of a field is one text: in ``--help`` and in ``help()``."""

import ast
import dataclasses
import itertools
import pydoc
from pathlib import Path

import miajax as mj
from miajax.described import described, field_help

ROOT = Path(mj.__file__).parent


@described
@dataclasses.dataclass
class Mixed:
    """Some fields named above, some below.

    Attributes:
      first: said above, once.
    """

    first: int = 1
    second: int = 2
    """said below, in ``units``
    over two lines"""
    third: int = 3


class Heir(Mixed):
    pass


@described
class Bare:
    """Nothing below."""


def test_help_of_a_configuration_names_a_field_with_its_sentence():
    told = pydoc.plain(pydoc.render_doc(mj.CampaignConfig))
    assert "Attributes:\n" in told and " num_shadows: M, shadow models; each is also a target.\n" in told
    assert "batch_size: " in pydoc.plain(pydoc.render_doc(mj.Recipe))


def test_fields_named_in_the_docstring_are_not_named_twice():
    assert Mixed.__doc__ == Mixed().__doc__
    assert Mixed.__doc__ == (
        "Some fields named above, some below.\n\nAttributes:\n  first: said above, once.\n"
        "  second: said below, in units over two lines."
    )
    assert field_help(Mixed) == {"first": "said above, once", "second": "said below, in units over two lines"}


def test_a_docstring_without_fields_is_left_as_it_is():
    assert Bare.__doc__ == "Nothing below."
    assert "Attributes" not in (Heir.__doc__ or "")


def test_the_source_is_not_read_before_it_is_asked_for(monkeypatch):
    def refuse(*_):
        raise AssertionError("read at import")

    monkeypatch.setattr("inspect.getsource", refuse)

    @described
    @dataclasses.dataclass
    class Later:
        """Not looked at."""

        field: int = 1
        """what it is"""


def _has_strings_below_fields(node: ast.ClassDef) -> bool:
    return any(
        isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        for field, after in itertools.pairwise(node.body)
    )


def test_every_class_with_strings_below_its_fields_is_described():
    found = [
        (f"{path.relative_to(ROOT)}:{node.name}", [ast.unparse(each) for each in node.decorator_list])
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and _has_strings_below_fields(node)
    ]
    assert len(found) > 20
    assert not [name for name, decorators in found if "described" not in decorators]
