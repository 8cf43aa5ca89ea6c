"""What is said beside per-example AUCs of the pool that all models share."""

import pytest

from miajax.metrics.figures import Estimate
from miajax.metrics.new_data import NewDataMeans
from miajax.studies.attacked.examples import _on_new_data


@pytest.mark.parametrize(
    "corrected, said",
    [(0.688, "about 0.688 instead of 0.735 (at least 0.672)"), (None, "between 0.672 and the 0.735 found here")],
)
def test_the_size_of_the_bias_is_said(corrected, said):
    new = Estimate(corrected, reason="" if corrected else "The share is not known well enough.")
    found = NewDataMeans(
        data_share=0.5, data_share_error=0.1, mean_auc=0.735, mean_auc_new_data=new, mean_auc_new_data_low=0.672
    )
    (sentence,) = _on_new_data(found)
    assert said in sentence


def test_results_without_it_say_nothing():
    assert _on_new_data(None) == []
