"""Children that answer as a test wants, in place of a model. They are pickled by name."""

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np

from app import errors
from app.inference.model_child import serve
from app.inference.onnx_child import forbid_files

MEMORY = 300_000_000
GREED = 1_000_000_000
_kept = []


def obey(pipe, commands=(), memory=MEMORY, confine=lambda: None):
    """Run commands while the model is loaded, then those that come as texts.

    Any other text is answered by the number of the process and by the numbers that came with it.
    """

    def load():
        for command in commands:
            COMMANDS[command]()
        return "obedient", answer

    def answer(inputs):
        for command in inputs["text"].ravel():
            if command in COMMANDS:
                COMMANDS[command]()
        return {"pid": np.array([os.getpid()]), "number": inputs.get("number", np.zeros((0, 2)))}

    serve(pipe, load, memory, memory, confine)


def obey_confined(pipe):
    """Obey as the process of an uploaded model does, which can open no file."""
    obey(pipe, confine=forbid_files)


def asked(command, numbers=None):
    """What a parent sends."""
    number = {} if numbers is None else {"number": numbers}
    return {"text": np.array([[command]], object), **number}


def take_memory():
    bytearray(GREED)


def hold_interpreter():
    """Sleep without letting any other thread of the process run."""
    ctypes.PyDLL(None).sleep(60)


def fail():
    raise KeyError("a bug")


def refuse():
    raise errors.Corrupt("it is no model")


COMMANDS = {
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os._exit(3),
    "sleep": lambda: time.sleep(60),
    "nap": lambda: time.sleep(0.3),
    "hold": hold_interpreter,
    "take": take_memory,
    "take 8 MB": lambda: bytearray(8_000_000),
    "take 200 MB": lambda: bytearray(200_000_000),
    "keep 100 MB": lambda: _kept.append(bytearray(b"x") * 100_000_000),
    "fail": fail,
    "refuse": refuse,
}


def gone(pid):
    """Tell whether a process has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the latter: it ended while it was read
        return True
    return state in "ZX"
