"""Train three forests on the wine data, and ask all of them at once: `--help` tells how."""

from typing import Any

import click
from sklearn.datasets import load_wine

from devstack.console import say
from devstack.layout import local_api_address
from devstack.program import ProgramError
from warren_client import Warren, WarrenError

DATASET, TARGET = "wine", "cultivar"
SECONDS = 120

# From one that knows little to one that knows more, as params of scikit-learn.
FORESTS: dict[str, dict[str, int]] = {
    "stumps": {"n_estimators": 5, "max_depth": 1, "random_state": 1},
    "small": {"n_estimators": 10, "max_depth": 3, "random_state": 1},
    "large": {"n_estimators": 300, "random_state": 1},
}


@click.command(help=__doc__)
@click.option("--url", help="Where the API is; that of the local stack when left out.")
def main(url: str | None) -> None:
    """Run the example."""
    try:
        run(Warren(url or local_api_address()))
    except (WarrenError, ProgramError) as error:
        raise click.ClickException(str(error)) from error


def run(warren: Warren) -> None:
    """Upload, train, ask, and print a table. Raises `WarrenError`."""
    frame = load_wine(as_frame=True).frame.rename(columns={"target": TARGET})
    say(f"PUT /datasets/{DATASET}: {len(frame)} wines of three cultivars")
    warren.datasets.upload(frame, DATASET)
    features = [name for name in frame.columns if name != TARGET]
    models = train(warren, features)

    # Two wines that taste like one cultivar each, and what comes of mixing them.
    first, second = (frame[frame[TARGET] == cultivar][features].mean() for cultivar in (0, 1))
    wines = {"like cultivar 0": first, "like cultivar 1": second, "a blend": (first + second) / 2}
    for name, wine in wines.items():
        body = {
            "model_ids": list(models),
            "input_data": {feature: round(float(wine[feature]), 3) for feature in features},
            "combine": "mean",
        }
        answer = warren.request("POST", "/predict/parallel", body)
        print(f"\n  {name}\n{table(answer['message'], models)}")


def train(warren: Warren, features: list[str]) -> dict[str, str]:
    """Train the forests side by side; return the name of each by its model's id."""
    asked: dict[str, Any] = {"features": features, "estimator": "random_forest_classifier"}
    jobs = {
        name: warren.train(DATASET, TARGET, **asked, params=params)
        for name, params in FORESTS.items()
    }
    for name, job in jobs.items():
        metrics = job.wait(SECONDS).metrics or {}
        told = ", ".join(f"{metric} {value:.3f}" for metric, value in metrics.items())
        say(f"Trained {name}, {job.id}: {told}")
    return {job.id: name for name, job in jobs.items()}


def table(message: dict[str, Any], models: dict[str, str]) -> str:
    """Write what each model said, what they say together, and how long it took."""
    lines = [f"  {'model':<10} {'cultivar':>8}   {'sure':>5}   {'ms':>6}"]
    for answer in message["answers"]:
        name = models[answer["model_id"]]
        if answer.get("error"):
            lines.append(f"  {name:<10} {answer['error']['detail']}")
        else:
            lines.append(line(name, answer))
    lines.append(line("together", {**message["combined"], "elapsed_ms": message["elapsed_ms"]}))
    return "\n".join(lines)


def line(name: str, answer: dict[str, Any]) -> str:
    """Write one answer."""
    label = str(answer["prediction"])
    sure = answer["pred_proba"][label]
    return f"  {name:<10} {label:>8}   {sure:>5.2f}   {answer['elapsed_ms']:>6.1f}"


if __name__ == "__main__":
    main()
