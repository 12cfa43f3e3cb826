"""Ask two image classifiers about a cat: the fast one at once, the better one as a job.

The first time this installs PyTorch into an environment of its own and exports the models.
"""

import base64
import json
from pathlib import Path
from typing import Any

import click

from devstack.console import say
from devstack.demo import follow
from devstack.layout import local_api_address
from devstack.program import ProgramError
from examples.imagenet.environment import prepare
from warren_client import Warren, WarrenError

FAST, BETTER = "efficientnet-lite0", "efficientnet-lite2"
SECONDS = 60


@click.command(help=__doc__)
@click.option("--url", help="Where the API is; that of the local stack when left out.")
@click.option("--image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(url: str | None, image: Path | None) -> None:
    """Run the example."""
    try:
        warren = Warren(url or local_api_address())
        folder = prepare()
        run(warren, folder, image or folder / "chelsea.png")
    except (WarrenError, ProgramError) as error:
        raise click.ClickException(str(error)) from error


def run(warren: Warren, folder: Path, image: Path) -> None:
    """Register both, ask both about the image, and print what they say. Raises `WarrenError`."""
    for model_id in (FAST, BETTER):
        name = model_id.removeprefix("efficientnet-")
        manifest = json.loads((folder / f"{name}.json").read_text())
        warren.models.upload(folder / f"{name}.onnx", manifest, model_id=model_id)
        say(f"PUT /models/{model_id}")

    body = {
        "sync_model_id": FAST,
        "async_model_id": BETTER,
        "image_data": base64.b64encode(image.read_bytes()).decode(),
    }
    message = warren.request("POST", "/predict/sync_async", body)["message"]
    say(f"POST /predict/sync_async: {image.name}, answered in {message['elapsed_ms']:.0f} ms")
    print(best(message))

    job = follow(warren, message["job_id"], SECONDS).record.model_dump()
    print(best({"model_id": BETTER, **job["result"]}))
    print(f"  They {'disagree' if job['disagree'] else 'agree'}.")


def best(answer: dict[str, Any]) -> str:
    """Write the three labels that a model finds likeliest."""
    probabilities = answer["pred_proba"]
    labels = sorted(probabilities, key=probabilities.get, reverse=True)[:3]
    told = ", ".join(f"{label} {probabilities[label]:.2f}" for label in labels)
    return f"\n  {answer['model_id']}: {told}\n"


if __name__ == "__main__":
    main()
