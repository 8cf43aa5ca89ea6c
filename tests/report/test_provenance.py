import dataclasses

import pytest

from miajax.report import provenance
from miajax.runs.made import Made

_MADE = Made(
    models=32, models_here=0, models_timed=32, compile_s=3.0, train_s=240.0, query_s=7.0, groups=2,
    groups_without_record=0, first="a", last="b", devices=("one",), versions=({"jax": "1"},),
    other_bits=False, device_here="two",
)  # fmt: skip


def _made(**changes):
    return dataclasses.replace(_MADE, **changes)


def _plain(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({}, "The 32 models of this run were there before; this command took 3.27 s"),
        ({"models_here": 32}, "32 models trained by this command, which took 3.27 s"),
        (
            {"models_here": 8},
            "32 models, 8 of them trained by this command and the others before; this command took 3.27 s",
        ),
        ({"models": 1, "models_here": 0}, "The model of this run was there before; this command took 3.27 s"),
        ({"models": 1_000, "models_here": 1_000}, "1,000 models trained by this command, which took 3.27 s"),
    ],
)
def test_a_command_claims_only_the_models_that_it_trained(made, said):
    assert _plain(provenance.made_finding(_made(**made), 3.27)) == said


def test_models_whose_groups_kept_no_record_claim_no_time():
    bare = _made(train_s=None, query_s=None, compile_s=None, models_timed=0)
    assert provenance.made_sentences(bare) == []
    assert provenance.made_finding(bare, None) == "The 32 models of this run were there before"


def test_the_time_of_the_models_is_that_of_all_commands():
    (said,) = provenance.made_sentences(_MADE)
    assert "spent 4 min 0 s on training, 7.00 s on querying and 3.00 s on compiling for 32 models" in _plain(said)
    (said,) = provenance.made_sentences(_made(groups_without_record=1, models_timed=16))
    assert said.endswith("1 group of models kept no record of their time and are not in it.")


def test_the_same_bits_are_promised_only_where_all_models_were_made_alike():
    assert "the same command on this run" in provenance._again(None, _MADE, {})
    whole = {"models_here": 32}
    assert "gives the same bits" in provenance._again(None, _made(**whole), {})
    for made, manifest in (
        ({"other_bits": True}, {}), ({}, {"changed_plans": [1]}), ({"devices": ("one", "two")}, {}),
        ({"versions": ({"jax": "1"}, {"jax": "2"})}, {}),
    ):  # fmt: skip
        assert "gives the same bits" not in provenance._again(None, _made(**whole, **made), manifest)
