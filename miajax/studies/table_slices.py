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
      UserError: the data are no table, which has no such column, or it holds too many categories.
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
    return {column: categories_of(where, column, np.asarray(values, object)[rows])}
