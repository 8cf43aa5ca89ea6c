"""A column of the table itself as slices, whether models read it or not."""

import numpy as np

from miajax.campaign.config import Setup
from miajax.data.table import column_values
from miajax.errors import UserError
from miajax.studies.slices import categories_of


def table_slices(setup: Setup, column: str) -> dict[str, np.ndarray]:
    """One category a row of the pool, ``str[N]``, by the name of the column.

    Args:
      setup: of a campaign on a table.
      column: of that table; one that is dropped as a feature, too.

    Raises:
      UserError: the data are no table, which has no such column, or it holds too many categories, or one a group.
    """
    data, dataset = setup.config.data, setup.dataset
    if setup.config.dataset != "table" or data.data_path is None:
        raise UserError(
            f"--slice_column {column} with --dataset {setup.config.dataset}",
            expected="--dataset table, or --slice_file beside it (miajax attacks)",
        )
    values = column_values(data.data_path, column, data.separator, data.decimal, data.header)
    rows = np.arange(dataset.num_examples) if dataset.source_rows is None else dataset.source_rows
    where = f"--slice_column {column}"
    return {column: without_keys(setup, where, categories_of(where, column, np.asarray(values, object)[rows]))}


def without_keys(setup: Setup, where: str, categories: np.ndarray) -> np.ndarray:
    """The categories of rows, if they tell no single group, such as a person, apart from all others.

    Raises:
      UserError: every category is one group, whose keys the run does not keep.
    """
    groups = setup.dataset.groups
    if groups is None or setup.config.data.keep_keys:
        return categories
    codes = np.unique(categories, return_inverse=True)[1].reshape(-1)
    pairs = len(np.unique(np.stack([codes, groups]), axis=1).T)
    if pairs == int(codes.max()) + 1 == int(groups.max()) + 1:
        raise UserError(
            f"{where} is another name of the groups by {setup.dataset.group_name}: slices would name each of them",
            expected="a column whose values several groups share",
            remedy="--keep_keys lets reports name groups",
        )
    return categories
