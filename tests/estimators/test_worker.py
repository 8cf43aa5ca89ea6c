"""One model in a process: classes that it never saw, answers of every shape, one thread."""

import sys
import types

import numpy as np
import pytest

from miajax.estimators.worker import Job, train


@pytest.fixture
def job(tmp_path):
    from sklearn.datasets import load_iris

    rows, labels = load_iris(return_X_y=True)
    np.save(tmp_path / "pool.npy", rows)
    np.save(tmp_path / "labels.npy", labels.astype(np.int32))

    def made(reference: str, members, **args) -> Job:
        return Job(
            model=0, reference=reference, args=args, pool=str(tmp_path / "pool.npy"), state=3, num_classes=3,
            labels=str(tmp_path / "labels.npy"), members=np.asarray(members),
        )  # fmt: skip

    return made


EVERY = np.arange(0, 150, 2)
WITHOUT_1 = np.r_[0:50:2, 100:150:2]


def test_a_class_without_members_gets_probability_0_in_its_own_column(job):
    one = train(job("sklearn.ensemble:RandomForestClassifier", WITHOUT_1, n_estimators=5))
    assert one.failure == "" and one.absent == (1,)
    assert one.answers.shape == (150, 3) and (one.answers[:, 1] == 0).all()
    assert (one.answers[:50].argmax(1) == 0).all() and (one.answers[100:].argmax(1) == 2).mean() > 0.9


def test_scores_of_a_class_without_members_lie_below_all_others(job):
    one = train(job("sklearn.svm:LinearSVC", WITHOUT_1))
    assert one.kind == "scores" and (one.answers[:, 1] < one.answers[:, [0, 2]].min(1) - 100).all()
    assert (one.answers[100:].argmax(1) == 2).mean() > 0.9


def test_scores_of_several_classes_are_taken_as_logits(job):
    from sklearn.svm import LinearSVC

    one = train(job("sklearn.svm:LinearSVC", EVERY))
    rows, labels = (np.load(path) for path in (job("", EVERY).pool, job("", EVERY).labels))
    by_hand = LinearSVC(random_state=3).fit(rows[EVERY], labels[EVERY]).decision_function(rows)
    np.testing.assert_array_equal(one.answers, by_hand)


def test_scores_by_pairs_of_classes_are_refused(job, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "import numpy as np\n"
        "class Pairs:\n"
        "    def fit(self, X, y): self.classes_ = np.unique(y); return self\n"
        "    def decision_function(self, X): return np.zeros((len(X), 6))\n"
    )
    assert "answers of shape (150, 6)" in train(job(f"{file}:Pairs", EVERY)).failure


def test_what_draws_from_the_global_state_draws_the_same_again(job, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "import numpy as np\n"
        "class Draws:\n"
        "    def fit(self, X, y): self.p = np.random.dirichlet(np.ones(3)); return self\n"
        "    def predict_proba(self, X): return np.tile(self.p, (len(X), 1))\n"
    )
    first, second = (train(job(f"{file}:Draws", EVERY)).answers for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_torch_draws_from_the_model_s_own_state_where_it_is_there(job, monkeypatch):
    seeds = []
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(manual_seed=seeds.append))
    assert train(job("sklearn.tree:DecisionTreeClassifier", EVERY)).failure == ""
    assert seeds == [3]


def test_a_skorch_network_is_the_same_again(job, tmp_path):
    pytest.importorskip("skorch", reason="skorch is not installed: its networks are not trained twice")
    (tmp_path / "net.py").write_text(
        "import torch\nfrom skorch import NeuralNetClassifier\n\n\n"
        "class Net(torch.nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(torch.nn.Linear(4, 3), torch.nn.Softmax(-1))\n\n"
        "    def forward(self, x):\n        return super().forward(x.float())\n\n\n"
        "def net():\n    return NeuralNetClassifier(Net, max_epochs=2, verbose=0, train_split=None)\n"
    )
    one, other = (train(job(f"{tmp_path / 'net.py'}:net", EVERY)) for _ in range(2))
    assert one.failure == "" and np.array_equal(one.answers, other.answers)


@pytest.mark.parametrize(
    ("row", "message"),
    [([-0.1, 0.1, 1.0], "no probabilities"), ([0.9, 0.9, 0.0], "rows that sum to 1.8, expected 1")],
)
def test_what_is_no_probabilities_is_a_failure(job, tmp_path, row, message):
    file = tmp_path / "own.py"
    file.write_text(
        "import numpy as np\n"
        "class Wrong:\n"
        "    def fit(self, X, y): return self\n"
        f"    def predict_proba(self, X): return np.tile({row}, (len(X), 1))\n"
    )
    assert message in train(job(f"{file}:Wrong", EVERY)).failure


def test_xgboost_trains_with_and_without_all_classes(job):
    pytest.importorskip("xgboost", reason="the extra 'estimators' is not installed: pip install miajax[estimators]")
    whole = train(job("xgboost:XGBClassifier", EVERY, n_estimators=5))
    assert whole.failure == "" and whole.answers.dtype == np.float32 and whole.answers.shape == (150, 3)
    part = train(job("xgboost:XGBClassifier", WITHOUT_1, n_estimators=5))
    assert part.failure == "" and (part.answers[:, 1] == 0).all()
    assert (part.answers[100:].argmax(1) == 2).mean() > 0.9
