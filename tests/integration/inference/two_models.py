"""Start two models' processes; print their sessions and nice values and our own as JSON."""

import json
import os
import sys

from app.inference.model_process import ModelProcess
from app.training.fit_process import FitRunner
from tests.support.model_children import asked, obey


def main() -> None:
    FitRunner()  # it configures the fork server
    models = [ModelProcess(obey) for _ in range(2)]
    pids = [os.getpid(), *(int(each.run(asked("who"))["pid"][0]) for each in models)]
    told = {
        "sessions": [os.getsid(pid) for pid in pids],
        "niceness": [os.getpriority(os.PRIO_PROCESS, pid) for pid in pids],
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
