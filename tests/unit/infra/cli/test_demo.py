"""The demo's floor is another process: a Ctrl-C reaches both."""

import os
import signal
import subprocess
import sys

FLOOR = """
import signal, time
try:
    print("playing", flush=True)
    signal.pause()
except KeyboardInterrupt:
    time.sleep(1)  # longer than a process is given by `subprocess.run`
    print("calls ended")
"""
DEMO = f"""
import sys
from infra.cli.demo import play
sys.exit(play([sys.executable, "-c", {FLOOR!r}]))
"""


def test_ctrl_c_waits_until_the_open_calls_are_ended():
    command = [sys.executable, "-c", DEMO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout
        assert demo.stdout.readline() == "playing\n"
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.stdout.read() == "calls ended\n"
    assert demo.returncode == 0
