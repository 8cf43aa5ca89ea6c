import pytest

from miajax.data.registry import DataOptions, dataset_names, load_dataset
from miajax.errors import UserError


def test_unknown_names_list_the_known_ones_and_guess():
    with pytest.raises(UserError, match=r"fashion-mnist is unknown; .*digits.*tfds:NAME.*Did you mean fashion_mnist"):
        load_dataset("fashion-mnist")
    with pytest.raises(UserError, match="--dataset tfds: is unknown"):
        load_dataset("tfds:")


def test_every_name_of_the_list_is_known():
    for name in set(dataset_names()) - {"tfds:NAME", "digits", "purchase_like", "fashion_mnist"}:
        with pytest.raises(UserError) as caught:
            load_dataset(name, DataOptions(data_path="/nonexistent", label_column="y" if name == "table" else None))
        assert "/nonexistent" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digits", DataOptions(data_path="x"), "--data_path x has no effect on --dataset digits; expected .* npz"),
        ("digits", DataOptions(label_column="y"), "--label_column y has no effect on .* --dataset table beside it"),
        ("npz", DataOptions(data_path="x", drop_columns=("a",)), "--drop_columns .* has no effect on --dataset npz"),
        ("digits", DataOptions(data_seed=3), "--data_seed 3 has no effect .* purchase_like"),
        ("npz", DataOptions(), "--dataset npz was given no --data_path"),
        ("digits", DataOptions(max_examples=0), "--max_examples 0; expected at least 1"),
        ("digits", DataOptions(pool="test"), "--pool test is unknown; expected train or all"),  # pyright: ignore
    ],
)
def test_options_that_would_be_ignored_or_are_missing_are_refused(name, options, message):
    with pytest.raises(UserError, match=message):
        load_dataset(name, options)


def test_max_examples_takes_the_first_of_the_official_order():
    whole, few = load_dataset("digits"), load_dataset("digits", DataOptions(max_examples=101, pool="all"))
    assert few.num_examples == 101 and (few.features == whole.features[:101]).all()
    assert load_dataset("digits", DataOptions(max_examples=5000)).content_hash == whole.content_hash
