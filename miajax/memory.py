"""Free memory of this machine, and the refusal of what would exhaust it."""

from pathlib import Path

from miajax.errors import UserError

_UNKNOWN = 4 << 30


def free_ram() -> int:
    """Bytes that processes may still take: the machine's available memory, limited by a container's."""
    available = _UNKNOWN
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            available = min(available, int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return max(available, 0)


def with_memory_for(what: str, needed: int, free: int, remedy: str) -> None:
    """Refuses to begin what the memory can't hold.

    Args:
      what: is to be held.
      needed: bytes of it.
      free: bytes that may be taken.
      remedy: how to need less.

    Raises:
      UserError: it does not fit; both numbers are named.
    """
    if needed > free:
        raise UserError(f"{what} needs {amount(needed)} of memory, and {amount(free)} are free", remedy=remedy)


def amount(size: int) -> str:
    """Bytes for people, in the unit that leaves something before the point."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            return f"{size / 10**power:.2f} {unit}"
    return f"{size} bytes"
