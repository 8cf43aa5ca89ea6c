"""What the machine has: devices, cores, free memory, and what decides a program's bits."""

import os
import platform
from pathlib import Path

import jax

from miajax import compat
from miajax.memory import free_ram


def usable_cores() -> int:
    """CPU cores this process may use: its affinity, limited by a container's quota where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return cores


def use_cpu_cores_as_devices() -> None:
    """One CPU device a core, so that ensembles use them all; where the backend runs already, nothing changes."""
    compat.set_cpu_device_count(usable_cores())


def use_compilation_cache() -> Path | None:
    """Keeps compiled programs for the next process of this user; returns where, or None where that is off.

    The folder is ``$XDG_CACHE_HOME/miajax/programs`` (``~/.cache``), a folder for each kind of processor in it.
    ``MIAJAX_COMPILATION_CACHE`` names another, or ``off``; jax's own ``JAX_COMPILATION_CACHE_DIR`` goes before both.
    Programs are looked up by a hash of what was compiled, for which device, by which version. An entry that another
    process is still writing, or left half written, is not taken: that program is compiled again.
    """
    named = os.environ.get("MIAJAX_COMPILATION_CACHE", "")
    if os.environ.get("JAX_COMPILATION_CACHE_DIR") or named.lower() in ("off", "0", "false", "no"):
        return None
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = (Path(named) if named else home / "miajax" / "programs") / instruction_set()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return None
    except (OSError, RuntimeError):  # a user without a home, or a full or read-only one: programs are compiled anew
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    return folder


def free_memory(device: jax.Device) -> int:
    """Bytes that a program may still take on a device: for a CPU, this process's share of the free RAM."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    return free_ram() // len(jax.local_devices(backend="cpu"))


def instruction_set() -> str:
    """The widest vector instructions of this CPU: programs compiled for others round differently."""
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return platform.machine()
    wide = [f for f in ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16") if f" {f}" in flags]
    return platform.machine() + "".join("+" + f for f in wide)


def machine_name(device: jax.Device) -> str:
    """The device's name for people: a GPU's model, or the CPU's with its number of cores."""
    if device.platform != "cpu":
        return device.device_kind
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {usable_cores()} cores"
