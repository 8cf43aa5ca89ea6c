"""Who trains which models where no byte of a file can be locked: objects that their owners renew while they live."""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

from miajax.errors import UserError
from miajax.runs.names import range_name, range_of
from miajax.runs.objects import Objects

LASTS = 60.0
"""Seconds after which a lease that nobody renews is another's to take; ``MIAJAX_LEASE_SECONDS`` says otherwise."""


def lease_seconds() -> float:
    """How long a lease lasts.

    Raises:
      UserError: ``MIAJAX_LEASE_SECONDS`` is no such number.
    """
    told = os.environ.get("MIAJAX_LEASE_SECONDS", str(LASTS))
    with contextlib.suppress(ValueError):
        if 0.1 <= (seconds := float(told)) <= 86400:
            return seconds
    raise UserError(f"MIAJAX_LEASE_SECONDS {told!r}", expected="seconds from 0.1 to 86400")


class Lost(UserError):
    """A lease went to another process while this one was silent: what it trained is the other's to store."""


def _machine() -> str:
    """This machine as its processes see it: within another container the same process id is another process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return secrets.token_hex(8)  # like no other: nobody's death can be seen from there


_MACHINE = _machine()


class Leases:
    """Ranges of models, each an object ``FIRST-LAST.GENERATION`` that its owner renews four times while it lasts.

    A lease is stale when an observer has seen it unchanged for as long as it lasts by the observer's own clock, or when
    its process is seen to be dead on the same machine. It is taken over by creating the next generation, which one of
    several can. Ranges that overlap exclude one another: whoever creates a lease and then sees another that overlaps
    gives its own back.

    Args:
      objects: where they lie.
      under: prefix of their names, with the slash at its end.
      say: hears of leases that are taken over.
    """

    def __init__(self, objects: Objects, under: str = "", say: Callable[[str], None] = lambda line: None):
        self._objects, self._under, self.say = objects, under, say
        self._lasts = lease_seconds()
        self._seen: dict[str, tuple[bytes | None, float]] = {}
        self._held: dict[range, int] = {}  # by models, the lease's generation
        self._owner = f"{socket.gethostname()} process {os.getpid()}"

    def _all(self) -> dict[range, int]:
        """The newest generation of every range."""
        found: dict[range, int] = {}
        for name in self._objects.names(self._under):
            place, _, generation = name.removeprefix(self._under).partition(".")
            models = range_of(place)
            if models is not None and generation.isdecimal():
                found[models] = max(found.get(models, 0), int(generation))
        return found

    def _name(self, models: range, generation: int) -> str:
        return f"{self._under}{range_name(models)}.{generation}"

    def _alive(self, name: str) -> dict[str, Any] | None:
        """What a lease says of its owner; None where it is stale or gone, whose owner ``_dead`` tells then."""
        content = self._objects.read(name)
        if content is None:
            return None
        before, since = self._seen.get(name, (None, 0.0))
        if content != before:
            since = time.monotonic()
            self._seen[name] = content, since
        told = _told(content)
        lasts = told["lasts"] if isinstance(told.get("lasts"), (int, float)) else self._lasts
        if time.monotonic() - since > max(lasts, 0.1) or _dead(told):
            return None
        return told

    def living(self) -> list[str]:
        """Owners of leases that others than this process hold, as far as it has seen."""
        mine = set(self._held)
        told = [self._alive(self._name(models, last)) for models, last in self._all().items() if models not in mine]
        return [str(each.get("owner"))[:200] for each in told if each is not None]

    @contextlib.contextmanager
    def hold(self, models: range) -> Generator[bool]:
        """Yields whether the models are ours until the block ends; never waits. Ask ``check`` before storing them."""
        generation = self._taken(models)
        if generation is None:
            yield False
            return
        done = threading.Event()
        self._held[models] = generation
        beat = threading.Thread(target=self._renew, args=(models, generation, done), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            done.set()
            beat.join()
            del self._held[models]
            with contextlib.suppress(UserError, OSError):  # it ends by itself when nobody renews it
                self._objects.remove([self._name(models, each) for each in range(1, generation + 1)])

    def check(self, models: range) -> None:
        """Checks that a lease is still ours.

        Raises:
          Lost: it is not.
        """
        if models in self._held and self._all().get(models) != self._held[models]:
            raise Lost(
                f"models {range_name(models)} went to another process while this one was silent for {self._lasts:g} s",
                expected="a process that is not suspended",
                remedy="Run the same command again: nothing else is lost",
            )

    def _taken(self, models: range) -> int | None:
        """The generation of the lease that is ours now; None where the models are another's."""
        there = {other: last for other, last in self._all().items() if _overlap(models, other)}
        if any(self._alive(self._name(*lease)) for lease in there.items()):
            return None
        before = {other: self._objects.read(self._name(other, last)) for other, last in there.items()}
        generation = there.get(models, 0) + 1
        if not self._objects.create(self._name(models, generation), self._content(0)):
            return None
        # Two that are cut differently may have been created at once: each sees the other now, and neither goes on.
        now = {other: last for other, last in self._all().items() if _overlap(models, other) and other != models}
        if any(self._alive(self._name(*lease)) for lease in now.items()):
            self._objects.remove([self._name(models, generation)])
            return None
        for other, content in before.items():
            if other != models:  # its owner, should it wake up, finds it gone
                self._objects.remove([self._name(other, each) for each in range(1, there[other] + 1)])
            if content is not None:
                owner = str(_told(content).get("owner"))[:200]
                self.say(f"took over models {range_name(other)}: the lease of {owner} was not renewed")
        return generation

    def _content(self, beat: int) -> bytes:
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self._lasts))
        told = {
            "owner": self._owner, "machine": _MACHINE, "pid": os.getpid(), "lasts": self._lasts, "expires": expires,
            "beat": beat, "token": secrets.token_hex(8),
        }  # fmt: skip
        return json.dumps(told).encode()

    def _renew(self, models: range, generation: int, done: threading.Event) -> None:
        """Renews a lease until ``done``, or until it is another's."""
        beat = 0
        while not done.wait(self._lasts / 4):
            with contextlib.suppress(UserError, OSError):  # the next try may reach the store again
                if self._all().get(models) != generation:
                    return
                beat += 1
                self._objects.put(self._name(models, generation), self._content(beat))


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


def _told(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _dead(told: dict[str, Any]) -> bool:
    """Whether a lease's process can be seen to be gone."""
    pid = told.get("pid")
    if told.get("machine") != _MACHINE or not isinstance(pid, int) or not 0 < pid < 1 << 31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
