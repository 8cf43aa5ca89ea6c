"""Columns that say which row or whose it is, not what it is like: row numbers, one value a row, a person's key."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from miajax.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

_INDEX_NAMES = ("index", "__index_level_0__")  # and what has no name in the file
_UNLIKE, _FEWEST_ROWS = 0.95, 100
# Of keys of people: different ones, and rows of each.
_FEWEST_KEYS, _FEWEST_NAMED_KEYS = 100, 20
_MOST_ROWS, _MOST_NAMED_ROWS = 20.0, 1000.0  # on average; more of a column whose name says that it holds keys
_UNEVEN = 5.0  # times the average, from which on a value is too common for one person's
_MOST_SEARCHED, _MOST_TRAITS = 500, 1000  # columns that are tried as keys, and beside each: pairs would be too many
_PAIRS = 32
_TRAITS = 2  # columns that never differ within a key, of those that are no function of its order
_PEOPLE = re.compile(
    r"(?:^|[_\W])(?:person|patient|subject|participant|respondent|individual|customer|client|user|member|employee|"
    r"student|household|caseid|nhs|mrn|ssn|passport|e?mail|phone)s?(?:$|[_\W]|id|nr|no|number|key|code)",
    re.IGNORECASE,
)


def refuse_identifier(name: str, column: "pa.ChunkedArray", where: str) -> None:
    """Refuses a column that tells records apart and nothing else, so that no model learns it by chance.

    An index: without a name, or called ``index``, and 0..N-1 or 1..N in order, as data frames write it beside their
    rows. An identifier: texts or whole numbers, 100 or more of them, more than 95 % of which are different. Numbers
    with fractions are measurements, and are never refused.

    Args:
      name: of the column.
      column: its N values.
      where: the file, for messages.

    Raises:
      UserError: it is one of the two.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    rows, kind = len(column), column.type
    ways = f"Add --drop_columns {name!r}, or --keep_columns {name!r} to keep it on purpose"
    whole = pa.types.is_integer(kind)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = column.cast(pa.float64(), safe=False).to_numpy()
        present = values[np.isfinite(values)]
        whole = bool((present == np.floor(present)).all())
    unnamed = name.startswith("Unnamed: ") or name.lower() in _INDEX_NAMES
    if whole and unnamed and not column.null_count and rows > 1:
        values = column.cast(pa.float64(), safe=False).to_numpy()
        if any((values == np.arange(rows) + first).all() for first in (0, 1)):
            raise UserError(
                f"{where}: column {name} counts the rows, from {values[0]:.0f} to {values[-1]:.0f}",
                expected="features that say what a record is like",
                remedy=ways,
            )
    if not (whole or pa.types.is_string(kind)):
        return
    present, different = rows - column.null_count, compute.count_distinct(column).as_py()
    if present >= _FEWEST_ROWS and different > _UNLIKE * present:
        raise UserError(
            f"{where}: column {name} has {different} different values in {present} rows, as an identifier has",
            expected="values that records share, or measurements with fractions",
            remedy=ways,
        )


def refuse_person_keys(columns: "Mapping[str, pa.ChunkedArray]", where: str, groups: "np.ndarray | None") -> None:
    """Refuses columns whose values are keys of people (or of other groups), each in a few rows.

    Beside a column of groups: texts or whole numbers that are another name of the same groups. Without one: a column
    with many different values, all about equally common and each in a few rows, within which at least two other columns
    never differ (sex, place of birth), though these are no function of the key's order, as a class of ages is. A column
    whose name speaks of people needs one such column, and may have fewer keys with more rows each, one of them with any
    number. Rows without a key are left out of the search. Of tables with very many columns the first `_MOST_SEARCHED`
    that may be keys are tried, and those whose names speak of people.

    Args:
      columns: features of the table by name, those kept on purpose left out of the search by the caller.
      where: the file, for messages.
      groups: ``int32[N]``, or None.

    Raises:
      UserError: the first such column.
    """
    codes = {name: _codes(column) for name, column in columns.items()}
    traits_of: _Traits | None = None
    searched = 0
    for name, of_rows in codes.items():
        if of_rows is None:
            continue
        present = of_rows >= 0
        keys = of_rows[present]
        different = int(keys.max()) + 1
        if groups is not None:
            pairs = len(np.unique(np.stack([groups[present], keys]), axis=1).T)
            if different >= _FEWEST_NAMED_KEYS and pairs == different == len(np.unique(groups[present])):
                raise UserError(
                    f"{where}: column {name} is another name of the groups, one value each",
                    expected="features that say what a record is like",
                    remedy=f"Add --drop_columns {name!r}, or --keep_columns {name!r} to keep it on purpose",
                )
            continue
        named = bool(_PEOPLE.search(name))
        counts = np.sort(np.bincount(keys))
        rows = len(keys) / different
        most = counts[-2 if named else -1]  # one person may have half of all rows
        if different < (_FEWEST_NAMED_KEYS if named else _FEWEST_KEYS) or rows < 1.05:
            continue
        if rows > (_MOST_NAMED_ROWS if named else _MOST_ROWS) or most > max(_UNEVEN * rows, 10):
            continue
        searched += not named
        if not named and searched > _MOST_SEARCHED:
            continue
        traits_of = traits_of or _Traits(columns)
        traits = [other for other in traits_of.within(keys, present) if other != name]
        if len(traits) >= (1 if named else _TRAITS):
            raise UserError(
                f"{where}: column {name} looks like a person's key: {different} values in {len(keys)} rows, within "
                f"each of which {', '.join(traits[:3])} never differ",
                expected="features that say what a record is like",
                remedy=f"Add --group_column {name!r} to draw members by it, --drop_columns {name!r}, or --keep_columns "
                f"{name!r} to keep it on purpose",
            )


def _codes(column: "pa.ChunkedArray") -> np.ndarray | None:
    """Numbers of a column's values, sorted, if it can hold keys: texts or whole numbers; -1 where it has a gap."""
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    fraction = pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    if not (fraction or pa.types.is_integer(column.type) or pa.types.is_string(column.type)):
        return None
    if compute.count_distinct(column).as_py() < _FEWEST_NAMED_KEYS:
        return None
    gaps = column.is_null().to_numpy()
    if fraction:
        values = column.cast(pa.float64(), safe=False).to_numpy()
        gaps = np.isnan(values)
        if not (np.isfinite(values[~gaps]).all() and (values[~gaps] == np.floor(values[~gaps])).all()):
            return None
    if 2 * gaps.sum() > len(gaps):
        return None
    codes = np.full(len(gaps), -1)
    codes[~gaps] = np.unique(_numbered(column)[~gaps], return_inverse=True)[1].reshape(-1)
    return codes


def _numbered(column: "pa.ChunkedArray") -> np.ndarray:
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
        texts = np.array(["" if each is None else each for each in [*encoded.dictionary.to_pylist(), ""]])
        order = np.unique(texts, return_inverse=True)[1].reshape(-1)
        return order[encoded.indices.fill_null(len(texts) - 1).to_numpy()]
    values = column.cast(pa.float64(), safe=False).to_numpy()
    return np.unique(values, return_inverse=True)[1].reshape(-1)


class _Traits:
    """The columns that can say what a person is like: of few values, none of which nearly all rows have."""

    def __init__(self, columns: "Mapping[str, pa.ChunkedArray]"):
        self._found: list[tuple[str, np.ndarray, int]] = []
        for name, column in columns.items():
            if len(self._found) == _MOST_TRAITS:
                break
            codes = _numbered(column).astype(np.int32)
            counts = np.bincount(codes)
            if len(counts) > 1 and counts.max() <= 0.95 * len(codes):
                self._found.append((name, codes, len(counts)))

    def within(self, keys: np.ndarray, present: np.ndarray) -> list[str]:
        """The columns that never differ within a key, and are no function of the key's order; ``keys`` of present rows.

        A class of ages follows the order of ages and changes as often as it has values; a sex changes from key to key.
        """
        number = int(keys.max()) + 1
        order = np.argsort(keys, kind="stable")
        ends = np.flatnonzero(np.diff(keys[order]) == 0)[:_PAIRS]
        one, other = order[ends], order[ends + 1]  # pairs of rows of one key, in which most columns differ already
        found: list[str] = []
        for name, every, values in self._found:
            codes = every if present.all() else every[present]
            if 3 * values <= number and (codes[one] == codes[other]).all() and _is_trait(keys, codes, number, values):
                found.append(name)
        return found


def _is_trait(keys: np.ndarray, codes: np.ndarray, number: int, values: int) -> bool:
    first = np.zeros(number, codes.dtype)
    first[keys] = codes
    if (first[keys] != codes).any():
        return False
    return int((np.diff(first) != 0).sum()) > 3 * values
