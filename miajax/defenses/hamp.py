"""HAMP's answers: a model's order of classes with a stranger's scores; its training is a field of the recipe.

Chen and Pattabiraman 2024 (arXiv 2307.01610).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from miajax.signals.bundle import AnyArray


def borrowed_scores(
    logits: Float[AnyArray, "*batch classes"], strangers: Float[AnyArray, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    """Each answer's order of classes with the score values of another answer.

    HAMP's answers: the strangers are the model's logits on random inputs, one for each answer. Ranks, hence
    predictions, stay; equal scores are ranked by class.
    """
    ranks = jnp.argsort(jnp.argsort(logits, axis=-1, stable=True), axis=-1, stable=True)
    return jnp.take_along_axis(jnp.sort(strangers, axis=-1), ranks, axis=-1)
