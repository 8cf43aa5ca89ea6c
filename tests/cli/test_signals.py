"""Ctrl-C and SIGTERM end a command soon, with one line and status 130, whatever it is at."""

import signal
import subprocess
import sys
import time

import pytest

from tests.studies.helpers import ROOT

PREAMBLE = """
import ctypes, os, signal, sys, threading, time
from miajax.campaign import interrupt
from miajax.campaign.interrupt import Stopped, asked_to_stop
from miajax.cli import command
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
interrupt.GRACE_SECONDS, interrupt.TWICE_SECONDS = 1.0, 0.5
def begun():
    print("begun", flush=True)
"""
BUSY = (
    PREAMBLE
    + """
def act(_):
    begun()
    while True:  # scoring, a report
        time.sleep(.01)
command.main(act, [])
"""
)
IN_A_LIBRARY = (
    PREAMBLE
    + """
def act(_):
    begun()
    ctypes.CDLL(None).sleep(60)  # one long call, between whose ends Python delivers nothing
command.main(act, [])
"""
)
LOCKED = (
    PREAMBLE
    + """
def act(_):
    lock = threading.Lock()
    lock.acquire()
    with asked_to_stop() as stop:
        begun()
        while True:
            try:
                lock.acquire()  # as an import's lock that was left taken
            except KeyboardInterrupt:
                pass
command.main(act, [])
"""
)
SAVING = (
    PREAMBLE
    + """
def act(_):
    with asked_to_stop() as stop:
        begun()
        while not stop():
            time.sleep(.01)
        time.sleep(2.5)  # saving takes longer than the grace
        print("saved", flush=True)
        raise Stopped
command.main(act, [])
"""
)


def ended(code: str, *numbers: int) -> tuple[int, str, str, float]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    begin = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.3)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err, time.monotonic() - begin


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("code", [BUSY, IN_A_LIBRARY], ids=["busy", "in a library"])
def test_a_command_outside_its_campaign_ends_with_a_line_and_a_status(code, number):
    status, _, err, took = ended(code, number)
    assert status == 130 and took < 20
    assert err.strip().count("\n") == 0 and err.strip().startswith("Stopped") and "Traceback" not in err


def test_a_second_ctrl_c_ends_a_command_whose_import_lock_is_taken_for_good():
    status, _, err, took = ended(LOCKED, signal.SIGINT, signal.SIGINT)
    assert status == 130 and took < 20
    assert err.strip().startswith("Stopped at once")


def test_a_campaign_that_has_begun_to_save_is_given_the_time_for_it():
    status, out, err, _ = ended(SAVING, signal.SIGTERM)
    assert (status, out) == (130, "saved\n")
    assert err.strip().startswith("Stopped; what was finished is kept")
