"""A stand-in for Ray whose workers are threads of this process, and die when they are told to: for what real Ray does
too slowly, or not at will. tests/campaign/test_ray.py has the real one."""

import concurrent.futures
import types

from miajax.campaign.cluster.connection import Connection
from miajax.campaign.cluster.crew import LOST
from miajax.campaign.cluster.flags import ClusterFlags


def resolved(argument):
    return argument.result() if isinstance(argument, concurrent.futures.Future) else argument


class RayTaskError(Exception):
    def __init__(self, cause):
        self.cause = cause


class Call:
    """Stands for ``.remote``."""

    def __init__(self, act):
        self.remote = act


class Actor:
    def __init__(self, ray, kind, arguments):
        self._ray, self._threads = ray, concurrent.futures.ThreadPoolExecutor(4)
        self._calls, self.dead = [], False
        self._object = self._submitted(kind, arguments)

    def _submitted(self, act, arguments):
        promised = concurrent.futures.Future()
        self._calls.append(promised)

        def run():
            try:
                found, error = act(*map(resolved, arguments)), None
            except Exception as raised:
                found, error = None, RayTaskError(raised)
            if not promised.done():
                promised.set_exception(error) if error else promised.set_result(found)

        if self.dead:
            promised.set_exception(self._ray.exceptions.RayActorError())
        else:
            self._threads.submit(run)
        return promised

    def __getattr__(self, name):
        def call(*arguments):
            self._ray.called(self, name)
            return self._submitted(lambda *given: getattr(self._object.result(), name)(*given), arguments)

        return Call(call)

    def die(self):
        self.dead = True
        for call in self._calls:
            if not call.done():
                call.set_exception(self._ray.exceptions.RayActorError())


class PretendedRay:
    """As much of the module ``ray`` as campaigns use.

    Args:
      nodes: cores by the machine's name; change it to have machines come and go.
      called: hears of every call of an actor, before it: ``called(actor, name)``.
    """

    def __init__(self, nodes, called=lambda actor, name: None):
        self.machines, self.called, self.actors = nodes, called, []
        errors = {name: type(name, (Exception,), {}) for name in LOST}
        self.exceptions = types.SimpleNamespace(RayTaskError=RayTaskError, RayError=RayTaskError, **errors)
        self.cancelled = 0

    def nodes(self):
        return [
            {"NodeID": name, "NodeManagerHostname": name, "Alive": True, "Resources": {"CPU": float(cpus)}}
            for name, cpus in self.machines.items()
        ]

    def put(self, value):
        promised = concurrent.futures.Future()
        promised.set_result(value)
        return promised

    def get(self, call):
        return call.result()

    def wait(self, calls, num_returns=1, timeout=None):
        when = concurrent.futures.ALL_COMPLETED if num_returns == len(calls) else concurrent.futures.FIRST_COMPLETED
        done, left = concurrent.futures.wait(calls, timeout, when)
        return [*done], [*left]

    def cancel(self, call, force):
        self.cancelled += not call.done()

    def remote(self, kind):
        def task(*arguments):
            return Actor(self, lambda: kind(*map(resolved, arguments)), ())._object

        if not isinstance(kind, type):
            return types.SimpleNamespace(options=lambda **options: Call(task))

        def made(*arguments):
            actor = Actor(self, kind, arguments)
            self.actors.append(actor)
            return actor

        return types.SimpleNamespace(options=lambda **options: Call(made))

    def kill(self, actor):
        actor.die()


class PretendedConnection(Connection):
    def __init__(self, ray, **flags):
        super().__init__(ClusterFlags("auto", **flags))
        self.__dict__["ray"] = ray

    def pinned_to(self, node):
        return None
