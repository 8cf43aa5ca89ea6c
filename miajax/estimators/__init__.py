"""Classifiers with scikit-learn's interface as shadow models: loaded by name, trained in processes, asked once."""
