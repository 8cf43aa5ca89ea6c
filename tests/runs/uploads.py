"""Kills uploads to a real S3 server at random moments and looks, from another machine's view, what is there.

    python -m tests.runs.uploads KILLS [SEED]

Prints JSON: kills, how many of them hit a group whose upload had begun, how many left every group whole or absent, and
how many runs then went on to the same bits. Nothing of the killed process's working copy is used by who looks.
"""

import contextlib
import hashlib
import importlib
import json
import logging
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np

BUCKET = "runs"
GROUPS = [range(first, first + 4) for first in range(0, 16, 4)]
IDENTITY = {"what": "uploads"}


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@contextlib.contextmanager
def s3_server() -> Generator[str]:
    """A server of S3's interface with an empty bucket, which this process and its children speak to; its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{port}"
    told = {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "of-a-test-only", "AWS_SECRET_ACCESS_KEY": "secret-of-a-test",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in told}
    os.environ |= told
    try:
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield address
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def child(act: Callable[[], None], copies: Path) -> int:
    """A process of its own, with working copies of its own; its id."""
    if process := os.fork():
        return process
    try:
        os.environ["MIAJAX_STORES"] = str(copies)
        os.environ["MIAJAX_LEASE_SECONDS"] = "1"
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        act()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def arrays(models: range) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(models.start)
    return {name: draws.normal(size=(len(models), 10_000)) for name in ("signals", "correct", "valid", "loss")}


def train(url: str) -> None:
    """Stores every group that is missing, each after a state of it."""
    from miajax.runs.folder import RunFolder
    from miajax.runs.mounts import for_a_command, mounted

    with for_a_command():
        run = RunFolder.create(mounted("--out", url, "files"), IDENTITY, {})
        run.enter()
        while missing := run.missing(range(16), 4):
            for models in missing:
                with run.lock(models) as ours:
                    if ours and run.missing(models, 4) == [models]:
                        logits = {"logits": arrays(models)["signals"]}
                        run.save_group(models, arrays(models), logits, {"w": np.arange(1000.0)}, {})
            time.sleep(0.05)
        (run.path / "results.json").write_text("{}")


def look(url: str, wanted: int | None = None) -> None:
    """Fails where a group is there and not whole, or its bits are others; or where fewer are there than wanted."""
    from miajax.runs.folder import RunFolder
    from miajax.runs.mounts import for_a_command, mounted

    with for_a_command():
        path = mounted("--run", url, "afresh")
        if not (path / "manifest.json").exists():
            assert not list(path.glob("groups/*"))
            return
        run = RunFolder.open(path)
        done = run.done()
        assert sorted(each.name for each in path.glob("groups/*")) == [f"{m.start:05d}-{m.stop - 1:05d}" for m in done]
        for models in done:
            run.verify(models, ("signals", "correct", "valid", "loss"))
            for name, array in arrays(models).items():
                found = np.load(run.groups / f"{models.start:05d}-{models.stop - 1:05d}" / f"{name}.npy")
                assert hashlib.sha256(found.tobytes()).digest() == hashlib.sha256(array.tobytes()).digest()
        if wanted is not None:
            assert len(done) == wanted
            assert not run.garbage_in_store(), run.garbage_in_store()


def ended(process: int) -> bool:
    return os.waitpid(process, 0)[1] == 0


def begun_and_absent(prefix: str) -> int:
    """Groups of which objects lie in the store and no commit does."""
    import boto3

    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/.store/").get("Contents", [])
    parts = [each["Key"].split("/.store/")[1].split("/") for each in listed]
    sent = {each[1] for each in parts if each[0] == "uploads"}
    return len(sent - {each[1].removesuffix(".json") for each in parts if each[0] == "commits"})


def main(kills: int, seed: int = 0) -> dict[str, float]:
    for name in ("miajax.runs.folder", "miajax.runs.mounts", "s3fs", "aiobotocore.session", "orbax.checkpoint"):
        importlib.import_module(name)  # once, and not in every process
    draws, told = random.Random(seed), {"kills": 0, "during_upload": 0, "whole_or_absent": 0, "finished": 0}
    with s3_server(), tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        assert ended(child(lambda: train(f"s3://{BUCKET}/warm"), folder / "warm"))
        begin = time.monotonic()
        assert ended(child(lambda: train(f"s3://{BUCKET}/whole"), folder / "whole"))
        lasts = time.monotonic() - begin
        while told["kills"] < kills:
            name = f"killed-{told['kills']}"
            url = f"s3://{BUCKET}/{name}"
            process = child(lambda url=url: train(url), folder / name)
            time.sleep(draws.uniform(0.0, lasts))
            if os.waitpid(process, os.WNOHANG) != (0, 0):
                continue  # it was faster: no kill
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            told["kills"] += 1
            told["during_upload"] += begun_and_absent(name) > 0
            told["whole_or_absent"] += ended(child(lambda url=url: look(url), folder / f"{name}-looked"))
            again = ended(child(lambda url=url: train(url), folder / f"{name}-again"))
            told["finished"] += again and ended(child(lambda url=url: look(url, len(GROUPS)), folder / f"{name}-end"))
            for copy in folder.glob(f"{name}*"):
                shutil.rmtree(copy)
    return {**told, "undisturbed_s": round(lasts, 2)}


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
