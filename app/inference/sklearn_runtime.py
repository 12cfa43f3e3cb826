"""Answer rows by the scikit-learn pipeline of a trained model, in a child process."""

from functools import partial
from typing import Any

from app.inference.process_runtime import ProcessRuntime

# A name, because importing it would load scikit-learn into the parent. The fork server imports it.
CHILD_MODULE = "app.inference.sklearn_child"


def run_child(*arguments: Any) -> None:
    """Run the child's side."""
    from app.inference import sklearn_child  # only children load scikit-learn

    sklearn_child.main(*arguments)


SklearnRuntime = partial(ProcessRuntime, run_child)  # takes the path of a skops file
