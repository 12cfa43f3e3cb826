"""Data sets that ship in packages, so that no test downloads anything."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import pandas as pd
import sklearn.datasets
import statsmodels.datasets
from vega_datasets import data as vega

MOST_ROWS = 160


@dataclass(frozen=True)
class DataSet:
    """Columns, of which the target is taken out, and the targets of regressors and classifiers."""

    load: Callable[[], pd.DataFrame]
    columns: list[str]
    number: str | None
    label: str | None

    def features(self, target: str) -> list[str]:
        """The columns to learn from."""
        return [column for column in self.columns if column != target]

    def frame(self) -> pd.DataFrame:
        """At most `MOST_ROWS` rows, the same at every call, in an order of chance."""
        wanted = [*self.columns, *filter(None, [self.number, self.label])]
        frame = self.load()[list(dict.fromkeys(wanted))]
        return frame.sample(min(len(frame), MOST_ROWS), random_state=0)


def _sklearn(name: str) -> Callable[[], pd.DataFrame]:
    def load() -> pd.DataFrame:
        frame: pd.DataFrame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
        return frame

    return load


def _statsmodels(name: str) -> Callable[[], pd.DataFrame]:
    def load() -> pd.DataFrame:
        frame: pd.DataFrame = getattr(statsmodels.datasets, name).load_pandas().data
        return frame

    return load


def _vega(name: str) -> Callable[[], pd.DataFrame]:
    def load() -> pd.DataFrame:
        source = getattr(vega, name)
        assert source.is_local, "it would be downloaded"
        file = BytesIO(source.raw())
        return pd.DataFrame(json.load(file)) if source.format == "json" else pd.read_csv(file)

    return load


seattle_weather, cars = _vega("seattle_weather"), _vega("cars")

# Some have columns of text, and airports, cars and la_riots lack values. The classes are texts or
# numbers; some of seattle_weather are rare. Coordinates and years are numbers that float32 blurs.
DATA_SETS = {
    "sklearn.iris": DataSet(
        _sklearn("iris"),
        ["sepal length (cm)", "sepal width (cm)", "petal length (cm)"],
        "petal width (cm)",
        "target",
    ),
    "sklearn.wine": DataSet(
        _sklearn("wine"),
        ["malic_acid", "ash", "magnesium", "total_phenols", "flavanoids", "hue", "proline"],
        "alcohol",
        "target",
    ),
    "sklearn.breast_cancer": DataSet(
        _sklearn("breast_cancer"),
        ["mean texture", "mean area", "mean smoothness", "mean concavity", "worst symmetry"],
        "mean radius",
        "target",
    ),
    "sklearn.diabetes": DataSet(
        _sklearn("diabetes"),
        ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"],
        "target",
        None,
    ),
    "sklearn.digits": DataSet(
        _sklearn("digits"),
        [f"pixel_{row}_{column}" for row in range(8) for column in range(8)],
        "target",
        "target",
    ),
    "sklearn.linnerud": DataSet(
        _sklearn("linnerud"), ["Chins", "Situps", "Jumps", "Pulse"], "Weight", None
    ),
    "statsmodels.fair": DataSet(
        _statsmodels("fair"),
        ["age", "yrs_married", "children", "religious", "educ", "occupation"],
        "affairs",
        "rate_marriage",
    ),
    "statsmodels.anes96": DataSet(
        _statsmodels("anes96"),
        ["popul", "TVnews", "selfLR", "ClinLR", "DoleLR", "age", "educ"],
        "income",
        "vote",
    ),
    "statsmodels.macrodata": DataSet(
        _statsmodels("macrodata"),
        ["year", "realcons", "realinv", "cpi", "m1", "tbilrate", "unemp", "infl"],
        "realgdp",
        "quarter",
    ),
    "statsmodels.grunfeld": DataSet(
        _statsmodels("grunfeld"), ["value", "capital", "firm", "year"], "invest", "firm"
    ),
    "statsmodels.modechoice": DataSet(
        _statsmodels("modechoice"), ["mode", "ttme", "invc", "invt", "hinc"], "gc", "choice"
    ),
    "statsmodels.ccard": DataSet(
        _statsmodels("ccard"), ["AGE", "INCOME", "INCOMESQ"], "AVGEXP", "OWNRENT"
    ),
    "statsmodels.scotland": DataSet(
        _statsmodels("scotland"),
        ["COUTAX", "UNEMPF", "MOR", "ACT", "GDP", "AGE"],
        "YES",
        None,
    ),
    "statsmodels.stackloss": DataSet(
        _statsmodels("stackloss"), ["AIRFLOW", "WATERTEMP", "ACIDCONC"], "STACKLOSS", None
    ),
    "statsmodels.longley": DataSet(
        _statsmodels("longley"), ["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"], "TOTEMP", None
    ),
    "vega_datasets.cars": DataSet(
        _vega("cars"),
        ["Cylinders", "Displacement", "Horsepower", "Weight_in_lbs", "Acceleration", "Origin"],
        "Miles_per_Gallon",
        "Origin",
    ),
    "vega_datasets.barley": DataSet(
        _vega("barley"), ["variety", "year", "site", "yield"], "yield", "site"
    ),
    "vega_datasets.seattle_weather": DataSet(
        seattle_weather,
        ["precipitation", "temp_min", "wind"],
        "temp_max",
        "weather",
    ),
    "vega_datasets.airports": DataSet(_vega("airports"), ["longitude", "state"], "latitude", None),
    "vega_datasets.la_riots": DataSet(
        _vega("la_riots"), ["age", "gender", "race", "longitude"], "latitude", "type"
    ),
}


@cache
def csv(name: str) -> bytes:
    """The content of a data set as a CSV file."""
    return DATA_SETS[name].frame().to_csv(index=False).encode()


@cache
def labels(name: str) -> list[int | str]:
    """The classes of a data set, in ascending order."""
    column = DATA_SETS[name].frame()[DATA_SETS[name].label].dropna()
    if pd.api.types.is_numeric_dtype(column):
        column = column.astype("int64")
    return sorted(column.unique().tolist())
