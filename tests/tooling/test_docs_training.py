"""The lines of scikit-learn on the page about trainings give what is promised."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from app.protocol.estimators import ESTIMATORS
from app.protocol.examples import ROW
from app.protocol.preprocessing import resolve_preprocessing
from tests.support import datasets, frames, served
from tests.system.support.client import PREDICTION, RMSE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/training.md").read_text()
README, SPLIT, PREPROCESSING = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_first_lines_give_the_error_and_the_prediction_of_the_readme():
    command = [sys.executable, "-W", "error", "-c", README]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said.split() == ["RMSE", str(RMSE), "Prediction", str(PREDICTION)]
    row = frames.diabetes()[list(ROW)].head(1).round(6).assign(s5=0.019908)
    assert row.to_dict("records") == [ROW]


def test_the_lines_about_split_and_preprocessing_give_the_answers_of_a_model(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(datasets.csv("vega_datasets.cars"))
    texts, target = ["Origin"], "Miles_per_Gallon"
    numbers = ["Displacement", "Horsepower"]
    data = pd.read_csv(path).dropna(subset=[target])
    names = {
        "train_test_split": train_test_split,
        "ColumnTransformer": ColumnTransformer,
        "SimpleImputer": SimpleImputer,
        "OneHotEncoder": OneHotEncoder,
        "Pipeline": Pipeline,
        "estimator": RandomForestRegressor(random_state=42),
        "numbers": numbers,
        "texts": texts,
        "x": data[[*texts, *numbers]],
        "y": data[target],
        "test_size": 0.2,
        "stratify": None,
    }

    exec(f"x_train, x_test, y_train, y_test = {SPLIT}", names)
    exec(PREPROCESSING, names)

    x_test = names["x_test"]
    asked = frames.request([*texts, *numbers], target=target, estimator="RandomForestRegressor")
    model = served.train(path, asked)
    answers = model.predict([model.check(row) for row in served.rows_of(x_test)])
    expected = names["model"].predict(x_test).tolist()
    assert [answer["prediction"] for answer in answers] == expected


def first_cells(heading: str) -> set[str]:
    """Return the code in the first cells of the table below a heading."""
    section = PAGE[PAGE.index(f"## {heading}") :].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_the_page_names_the_types_of_warnings_and_no_others():
    files = [*(ROOT / "app/training").glob("*.py"), *(ROOT / "app/tables").glob("*.py")]
    types = [kind for file in files for kind in re.findall(r'\btype="(\w+_\w+)"', file.read_text())]

    assert first_cells("Warnings") == set(types)


def test_the_page_names_the_estimators():
    assert first_cells("Estimators") == set(ESTIMATORS)


def test_the_page_has_the_defaults_of_each_estimator():
    section = PAGE[PAGE.index("## Preprocessing") :].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.+)` \| `(.+)` \| `(.+)` \|$", section, re.MULTILINE)

    resolved = {name: resolve_preprocessing(None, spec) for name, spec in ESTIMATORS.items()}
    assert {name: tuple(defaults) for name, *defaults in rows} == {
        name: (each.scaling, each.imputation, each.categories) for name, each in resolved.items()
    }
