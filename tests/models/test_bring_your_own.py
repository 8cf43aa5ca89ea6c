"""A user's own network: equal weights give equal logits however it is written, and broken ones are told why."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from miajax.attacks.registry import run_attack
from miajax.campaign.config import Setup
from miajax.campaign.progress import Silent
from miajax.campaign.run import run_campaign
from miajax.errors import UserError
from miajax.models.bring_your_own import as_model, from_functions, from_nnx, load_model
from miajax.models.contract import check_model
from miajax.models.model import Model, count_parameters
from miajax.models.registry import build_model
from miajax.runs.content_notes import note_on_answers
from miajax.signals.bundle import Signals
from miajax.training.recipe import Recipe
from tests.studies.helpers import small

C, F = 4, 6


class LinenNet(nn.Module):
    num_classes: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.Dense(8, name="hidden")(x))
        x = nn.BatchNorm(use_running_average=not train, name="norm")(x)
        return nn.Dense(self.num_classes, name="out")(x)


class NnxNet(nnx.Module):
    def __init__(self, num_classes, rngs, width=F, dropout=0.5):
        self.hidden = nnx.Linear(width, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(dropout, rngs=rngs)
        self.out = nnx.Linear(8, num_classes, rngs=rngs)

    def __call__(self, x):
        return self.out(self.drop(self.norm(nnx.relu(self.hidden(x)))))


def plain_init(key, x):
    return {"w": 0.1 * jax.random.normal(key, (x.size, C)), "b": jnp.zeros(C)}


def plain_apply(params, x):
    return x.reshape(len(x), -1) @ params["w"] + params["b"]


def test_linen_and_nnx_give_equal_logits_for_equal_weights():
    linen, other = as_model(LinenNet(C), "l", C), from_nnx(lambda rngs: NnxNet(C, rngs), "n")
    x = jax.random.normal(jax.random.key(1), (5, F))
    params, state = linen.init(jax.random.key(0), x[:1])
    _, nnx_state = other.init(jax.random.key(0), x[:1])
    a, _ = linen.apply(params, state, x, False, None)
    b, _ = other.apply(params, nnx_state, x, False, None)
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_nnx_updates_statistics_and_drops_by_the_engines_key():
    model = from_nnx(lambda rngs: NnxNet(C, rngs), "n")
    x = jax.random.normal(jax.random.key(1), (5, F))
    params, state = model.init(jax.random.key(0), x[:1])
    one, after = model.apply(params, state, x, True, jax.random.key(2))
    again, _ = model.apply(params, state, x, True, jax.random.key(2))
    other, _ = model.apply(params, state, x, True, jax.random.key(3))
    np.testing.assert_array_equal(one, again)
    assert (np.asarray(one) != np.asarray(other)).any()
    before_and_after = zip(*map(jax.tree.leaves, (state, after)), strict=True)
    assert any((np.asarray(a) != np.asarray(b)).any() for a, b in before_and_after)
    _, same = model.apply(params, state, x, False, None)
    assert same is state


FORMS = {
    "linen": LinenNet(C),
    "pair": (plain_init, plain_apply),
    "factory": lambda num_classes: LinenNet(num_classes),
    "nnx": lambda num_classes, rngs: NnxNet(num_classes, rngs),
    "model": from_functions(plain_init, plain_apply, "m"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_keeps_the_contract(form):
    model = as_model(FORMS[form], "mine", C)
    check_model(model, (F,), C)
    assert count_parameters(model, jax.ShapeDtypeStruct((1, F), jnp.float32)) >= F * C


def broken(**changes) -> Model:
    return from_functions(plain_init, plain_apply, "mine")._replace(**changes)


BROKEN = {
    "init's pair": (broken(init=lambda key, x: {"w": x}), "init returns dict"),
    "no parameters": (broken(init=lambda key, x: ({}, {})), "no parameters"),
    "integer parameter": (broken(init=lambda key, x: ({"w": jnp.zeros(3, int)}, {})), "dtype int32"),
    "logits' shape": (broken(apply=lambda p, s, x, t, k: (x, s)), r"logits of shape \(3, 6\)"),
    "apply's pair": (broken(apply=lambda p, s, x, t, k: x), "returns ShapeDtypeStruct"),
    "state": (
        broken(apply=lambda p, s, x, t, k: (plain_apply(p, x), {"n": jnp.zeros(())})),
        "state of another structure",
    ),
    "branch on values": (
        broken(apply=lambda p, s, x, t, k: (plain_apply(p, x if x.sum() > 0 else -x), s)),
        "TracerBoolConversionError",
    ),
    "key in evaluation": (
        broken(apply=lambda p, s, x, t, k: (plain_apply(p, x) + jax.random.normal(k), s)),
        "train=False",
    ),
}


def fails(num_classes):
    raise KeyError("width")


@pytest.mark.parametrize(
    ("thing", "told"),
    [
        (lambda num_classes: NnxNet(num_classes, nnx.Rngs(0)), "NNX module that is built already.*num_classes, rngs"),
        (fails, f"called with num_classes = {C} it fails with KeyError: 'width'"),
        (lambda: LinenNet(C), "it fails with TypeError.*function of num_classes"),
        (lambda num_classes: {"w": num_classes}, "is a dict"),
    ],
)
def test_a_factory_that_breaks_the_contract_is_told_how(thing, told):
    with pytest.raises(UserError, match=told):
        as_model(thing, "mine", C)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_model_is_told_which_part(case):
    model, told = BROKEN[case]
    with pytest.raises(UserError, match=told):
        check_model(model, (F,), C)


LINEAR = """
import jax

def linear(num_classes):
    def init(key, x):
        return {"w": 0.01 * jax.random.normal(key, (x.size, num_classes))}

    def apply(params, x):
        return x.reshape(len(x), -1) @ params["w"]

    return init, apply
"""


def test_a_model_from_a_file_runs_a_campaign_and_its_text_is_part_of_the_identity(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(LINEAR)
    setup = small(4, model=f"{file}:linear")
    campaign = run_campaign(setup, tmp_path / "r")
    assert campaign.valid.all() and campaign.test_accuracy.mean() > 0.5
    file.write_text(LINEAR.replace("0.01", "0.02"))
    assert small(4, model=f"{file}:linear").identity() != setup.identity()


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("nowhere.py:net", "does not exist"),
        ("{good}:absent", "has no absent"),
        ("{bad}:x", "the file fails"),
        ("{good}:x", "is a int"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_why(tmp_path, reference, told):
    good, bad = tmp_path / "a.py", tmp_path / "bad.py"
    good.write_text("x = 3\n")
    bad.write_text("1 / 0\n")
    with pytest.raises(UserError, match=told):
        load_model(reference.format(good=good, bad=bad), C)


def test_a_pair_of_functions_equals_the_built_in_network_of_the_same_weights(tmp_path):
    mlp = build_model("mlp", 10)
    own = from_functions(
        lambda key, x: mlp.init(key, x)[0], lambda params, x: mlp.apply(params, {}, x, False, None)[0], "own"
    )
    base = small(4)
    a = run_campaign(base, tmp_path / "a")
    b = run_campaign(Setup.of(base.config, base.dataset, own), tmp_path / "b")
    np.testing.assert_array_equal(a.signals, b.signals)


def plain_net(params, x, state, train):
    """``LinenNet`` without Flax."""
    x = jnp.maximum(x @ params["hidden"]["kernel"] + params["hidden"]["bias"], 0)
    mean, var = (x.mean(0), x.var(0)) if train else (state["mean"], state["var"])
    if train:
        state = {"mean": 0.99 * state["mean"] + 0.01 * mean, "var": 0.99 * state["var"] + 0.01 * var}
    x = (x - mean) / jnp.sqrt(var + 1e-5) * params["norm"]["scale"] + params["norm"]["bias"]
    return x @ params["out"]["kernel"] + params["out"]["bias"], state


@pytest.mark.slow
def test_linen_nnx_and_plain_functions_give_equal_scores_for_equal_weights(tmp_path):
    base = small(8, recipe=Recipe(epochs=2, batch_size=32, learning_rate=0.01))
    linen = as_model(LinenNet(10), "linen", 10)
    other = from_nnx(lambda rngs: NnxNet(10, rngs, 64, dropout=0.0), "nnx")

    def of_linen(state):
        """The Linen network's first weights, with the statistics of another form."""
        return lambda key, x: (linen.init(key, x)[0], state(key, x))

    other = other._replace(init=of_linen(lambda key, x, init=other.init: init(key, x)[1]))
    plain = from_functions(of_linen(lambda key, x: {"mean": jnp.zeros(8), "var": jnp.ones(8)}), plain_net, "plain")
    scores = {}
    for model in (linen, other, plain):
        campaign = run_campaign(Setup.of(base.config, base.dataset, model), tmp_path / model.name)
        signals = Signals(campaign.signals, campaign.correct, base.dataset.labels)
        scores[model.name] = run_attack("lira_online", signals, campaign.member, campaign.valid)[0]
    assert np.isfinite(scores["linen"]).mean() > 0.5
    for name in ("nnx", "plain"):
        np.testing.assert_allclose(scores[name], scores["linen"], rtol=1e-3, atol=1e-3)


ENDS = {"softmax": jax.nn.softmax, "sigmoid": jax.nn.sigmoid, None: lambda z: z, "log": jax.nn.log_softmax}


@pytest.mark.parametrize("end", ENDS)
def test_a_network_that_ends_in_a_softmax_is_remarked_upon_before_training_and_in_the_notes(tmp_path, end):
    def init(key, x):
        return {"w": 0.3 * jax.random.normal(key, (x.size, 10)), "b": jnp.zeros(10)}

    def apply(params, x):
        return ENDS[end](x.reshape(len(x), -1) @ params["w"] + params["b"])

    class Listener(Silent):
        def __init__(self):
            self.lines = []

        def say(self, line):
            self.lines.append(line)

    setup = small(2, recipe=Recipe(epochs=1, batch_size=32))
    setup = Setup.of(setup.config, model=from_functions(init, apply, "own"))
    listener = Listener()
    notes = run_campaign(setup, tmp_path, listener).notes
    again = run_campaign(setup, tmp_path).notes
    expected = int(end in ("softmax", "sigmoid"))
    remark = f"seems to end in a {end}"
    assert sum(remark in note for note in notes) == sum(remark in note for note in again) == expected
    assert sum(remark in line for line in listener.lines) == expected


def test_a_last_layer_that_starts_at_0_is_not_taken_for_a_softmax():
    assert note_on_answers(np.zeros((5, 3))) == ()
    assert "softmax" in note_on_answers(np.full((5, 4), 0.25))[0]
