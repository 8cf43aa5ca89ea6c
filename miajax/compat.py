"""Differences between the jax versions that miajax supports (0.10 to 0.12), in one place."""

import jax


def set_cpu_device_count(count: int) -> bool:
    """Makes the CPU backend show ``count`` devices; False where it has started already, and then nothing changes."""
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        return False
    return True


def leave_sigterm() -> None:
    """Keeps ``jax.distributed`` from taking SIGTERM, which saves a campaign."""
    jax.config.update("jax_enable_preemption_service", False)


def shard_map(fn, mesh, in_specs, out_specs):
    """``jax.shard_map`` without the varying-axes check, which rejects custom derivatives inside."""
    return jax.shard_map(fn, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)
