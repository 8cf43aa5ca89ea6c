"""Warnings of libraries reach the notes of the results, and none gets lost."""

import threading
import warnings

import numpy as np
import pytest
from absl import logging as absl_logging

from miajax.runs.atomic import write_json
from miajax.studies import written
from miajax.studies.invocation import Invocation
from miajax.warned import collected_warnings, told


def _library(code: str, file: str = "/some/where/site-packages/sklearn/neighbors/_lof.py") -> None:
    """Runs code as if it lay in an installed library."""
    exec(compile(code, file, "exec"), {"warnings": warnings, "logging": absl_logging})


def test_what_a_library_warns_of_is_a_note_once_with_its_name_and_no_path():
    with collected_warnings():
        for _ in range(3):
            _library("warnings.warn('Duplicate values are leading\\n  to incorrect results.')")
        assert told() == ["sklearn warned: Duplicate values are leading to incorrect results."]
        assert told() == []


def test_numpy_and_scipy_and_sklearn_themselves_are_heard():
    from scipy import stats
    from sklearn.neighbors import LocalOutlierFactor

    copies = np.concatenate([np.zeros((40, 2)), np.random.default_rng(0).normal(size=(30, 2))])
    with collected_warnings():
        LocalOutlierFactor(20).fit(copies)
        stats.pearsonr(np.ones(5), np.arange(5.0))
        np.float64(1e308) * np.float64(10)
        found = "\n".join(told())
    assert "sklearn warned: Duplicate values" in found and "constant" in found and "overflow" in found


def test_dp_accounting_is_heard_though_it_logs_and_other_logs_pass(caplog):
    code = "logging.warning('optimal order is the largest alpha')"
    with collected_warnings():
        _library(code, "/usr/lib/site-packages/dp_accounting/rdp/accountant.py")
        _library(code, "/usr/lib/site-packages/other/thing.py")
        assert told() == ["dp_accounting warned: optimal order is the largest alpha."]


def test_threads_are_heard():
    with collected_warnings():
        thread = threading.Thread(target=_library, args=("warnings.warn('from afar')",))
        thread.start()
        thread.join()
        assert told() == ["sklearn warned: from afar."]


def test_what_nobody_took_is_issued_at_the_end_even_after_an_error():
    with pytest.warns(UserWarning, match="lost otherwise"), pytest.raises(ZeroDivisionError), collected_warnings():
        _library("warnings.warn('lost otherwise')")
        _ = 1 / 0


def test_an_inner_collector_passes_on_what_is_left_to_the_outer_one():
    @collected_warnings()
    def study():
        _library("warnings.warn('one')")

    with collected_warnings():
        study()
        study()
        assert told() == ["sklearn warned: one."]


def test_news_of_libraries_futures_are_no_notes_and_pass():
    with pytest.warns(FutureWarning, match="will change"), collected_warnings():
        _library("warnings.warn('will change', FutureWarning)")
        assert told() == []


def test_warnings_that_are_errors_stay_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning), collected_warnings():
            _library("warnings.warn('stop')")


def test_results_of_a_study_hold_them_among_their_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(written, "write_json", write_json)  # notes alone are no study's results
    results = {"notes": ["first"]}
    with collected_warnings():
        _library("warnings.warn('wrong results')")
        with Invocation().reporting(tmp_path, results, study="lira"):
            assert results["notes"] == ["first", "sklearn warned: wrong results."]
    assert "wrong results" in (tmp_path / "results.json").read_text()
