"""Notes on content that may be wrong, and none where it is right."""

import numpy as np

from miajax.runs.content_notes import note_on_copies, note_on_order


def test_shuffled_labels_are_noted_and_right_ones_are_not():
    arrays = simulated_run_arrays()
    predicted, member, valid = arrays["logits"][:, :, 0].argmax(-1), arrays["membership"], np.ones(6, bool)
    assert note_on_order(predicted, arrays["labels"], member, valid) == ()
    shuffled = np.random.default_rng(1).permutation(arrays["labels"])
    assert "different orders" in note_on_order(predicted, shuffled, member, valid)[0]


def test_a_model_counted_twice_is_named():
    phi = np.random.default_rng(0).normal(size=(4, 5, 1))
    phi[3] = phi[1]
    assert "3 of 1" in note_on_copies(phi, np.ones(4, bool))[0]
    assert note_on_copies(phi, np.array([True, True, True, False])) == ()


def simulated_run_arrays(num_examples: int = 200):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, num_examples)
    member = rng.random((6, num_examples)) < 0.5
    logits = rng.normal(size=(6, num_examples, 1, 4)) + 3 * (labels[None, :, None, None] == np.arange(4))
    return {"labels": labels, "membership": member, "logits": logits.astype(np.float32)}
