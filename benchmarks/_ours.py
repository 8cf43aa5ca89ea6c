"""Our side of the training comparisons: whole shadow trainings as the campaign runs them."""

import time
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._contest import Outcome
from benchmarks._workloads import Workload
from miajax import compat
from miajax.models.model import count_parameters
from miajax.training.devices import usable_cores
from miajax.training.ensemble import Ensemble, Group
from miajax.training.losses import cross_entropy
from miajax.training.plan import choose_plan
from miajax.training.tuner import candidates, tune


class ShadowTraining:
    """Models 0 to ``models - 1``, from their keys to trained parameters, group after group.

    Args:
      workload: what is trained.
      models: trained in one run.
      epochs: how many of the recipe's are run; None: all.
      tune_seconds: how long the plan is looked for by trials first; no part of ``compile_seconds``. 0: by rule.

    Otherwise the plan is the one that a campaign of this machine gets, except that fewer models than its smallest group
    take fewer devices and a narrower chunk: nothing is padded.
    """

    def __init__(self, workload: Workload, models: int, epochs: int | None = None, tune_seconds: float = 0.0):
        compat.set_cpu_device_count(min(usable_cores(), models))
        setup = workload.setup()
        self.trainer, self.dataset = setup.trainer, setup.dataset
        self.models, self.epochs = models, epochs or setup.config.recipe.epochs
        self.member = setup.membership(models)
        size = (self.dataset.num_examples, 1, self.dataset.num_classes)
        plan = choose_plan(self.trainer, *size)
        narrow = min(plan.chunk, -(-models // plan.num_devices))
        self.plan = choose_plan(self.trainer, *size, chunk=narrow, group=min(plan.group, models))
        if tune_seconds:
            wanted = candidates(self.trainer, self.plan, models)
            best = tune(self.trainer, self.dataset, self.plan, wanted, budget=tune_seconds)[0]
            group = min(max(plan.group, best.chunk), models)
            self.plan = choose_plan(self.trainer, *size, chunk=best.chunk, lowering=best.lowering, group=group)
        self.ensemble = Ensemble(self.trainer, self.dataset, self.plan.placement())
        begin = time.perf_counter()
        self.ensemble.compile(self.plan.group)
        self.compile_seconds = time.perf_counter() - begin
        self.device_bytes = max(program.device_bytes() for program in self.ensemble.programs.values())
        example = jax.ShapeDtypeStruct((1, *self.trainer.example_shape), jnp.float32)
        self.facts: Mapping[str, int] = {
            "parameters": count_parameters(self.trainer.model, example),
            "steps of one model": setup.config.recipe.epochs * self.trainer.steps_per_epoch,
            "batch": setup.config.recipe.batch_size,
        }
        self._groups: list[Group] = []

    def run(self) -> int:
        self._groups = []
        for first in range(0, self.models, self.plan.group):
            ids = np.arange(first, min(first + self.plan.group, self.models))
            group = self.ensemble.start(ids, self.member[ids], self.plan.group)
            self.ensemble.advance(group, self.epochs)
            self._groups.append(group)
        jax.block_until_ready([group.state for group in self._groups])
        return self.models * self.epochs * self.trainer.steps_per_epoch

    def outcome(self) -> Outcome:
        images, y = jnp.asarray(self.dataset.features), jnp.asarray(self.dataset.labels)

        def judge(params, model_state):
            def answer(x):
                return self.trainer.model.apply(params, model_state, self.trainer.scaling(x[None]), False, None)[0][0]

            logits = jax.lax.map(answer, images, batch_size=64)
            return cross_entropy(logits, y), jnp.argmax(logits, -1) == y

        judged = jax.jit(lambda states: jax.lax.map(lambda s: judge(*s), states))
        parts = []
        for group in self._groups:
            state = self.ensemble.snapshot(group).state
            parts.append(jax.tree.map(np.asarray, judged((state.params, state.model_state))))
        loss, hit = (np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True))
        inside = self.member.sum(1)
        return Outcome(
            (loss * self.member).sum(1) / inside,
            (hit * self.member).sum(1) / inside,
            (hit * ~self.member).sum(1) / (~self.member).sum(1),
        )
