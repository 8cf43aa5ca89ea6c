import pytest

from miajax.report import provenance

_MADE = {
    "models": 32, "models_here": 0, "models_timed": 32, "compile_s": 3.0, "train_s": 240.0, "query_s": 7.0, "groups": 2,
    "groups_without_record": 0, "first": "a", "last": "b", "devices": ["one"], "versions": [{"jax": "1"}],
    "other_bits": False, "device_here": "two",
}  # fmt: skip


def _results(total=3.27, **made):
    return {"num_shadows": 32, "timing": {"total_s": total}, "versions": {"jax": "1"}, "made": {**_MADE, **made}}


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
    assert _plain(provenance.made_finding(_results(**made))) == said


def test_results_without_a_record_claim_nothing_of_who_trained():
    bare = {"num_shadows": 4, "timing": {"total_s": 2.0}}
    assert _plain(provenance.made_finding(bare)) == "The figures rest on 4 models; this command took 2.00 s"
    assert provenance.made_sentences(bare) == [] and provenance.made_finding({}) == "The figures rest on 0 models"


def test_the_time_of_the_models_is_that_of_all_commands():
    (said,) = provenance.made_sentences(_results())
    assert "spent 4 min 0 s on training, 7.00 s on asking and 3.00 s on compiling for 32 models" in _plain(said)
    (said,) = provenance.made_sentences(_results(groups_without_record=1, models_timed=16))
    assert said.endswith("1 group of models kept no record of their time and are not in it.")


def test_the_same_bits_are_promised_only_where_all_models_were_made_alike():
    assert "the same command on this run" in provenance._again(None, _MADE, {})
    whole = {**_MADE, "models_here": 32}
    for made in (whole, {}):
        assert "gives the same bits" in provenance._again(None, made, {})
    for made, manifest in (
        ({"other_bits": True}, {}), ({}, {"changed_plans": [1]}), ({"devices": ["one", "two"]}, {}),
        ({"versions": [{"jax": "1"}, {"jax": "2"}]}, {}),
    ):  # fmt: skip
        assert "gives the same bits" not in provenance._again(None, {**whole, **made}, manifest)
