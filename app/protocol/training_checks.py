"""Check that the options of a training fit together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from app.protocol.estimators import DEFAULT_ESTIMATOR, ESTIMATORS, SEED
from app.protocol.training_options import MAX_FITS, ExcludedColumns, Split
from app.protocol.wording import cut, did_you_mean, listed, quoted, repeated

if TYPE_CHECKING:
    from app.protocol.training_request import TrainingSpec


def check_options(spec: "TrainingSpec") -> None:
    """Raise pydantic's `ValidationError`, which names the field, if two options contradict."""
    chosen = spec.estimator or DEFAULT_ESTIMATOR
    task = ESTIMATORS[chosen].task
    if task == "anomalies":
        _check_no_target(spec, chosen)
    elif spec.target is None:
        _refuse("target", "name the column to predict")
    _check_columns(spec)
    if spec.calibrate and task != "classification":
        _refuse("calibrate", f"only a classifier can be calibrated, and {chosen} predicts numbers")
    if spec.target_transform == "log1p" and task != "regression":
        _refuse(
            "target_transform", f"only a number can be transformed, and {chosen} predicts labels"
        )
    if spec.sample_weight and not ESTIMATORS[chosen].weighted:
        _refuse("sample_weight", f"{chosen} takes no weights; choose another estimator")
    _check_split(spec)
    _check_refit(spec)
    _check_preprocessing(spec)


def _check_no_target(spec: "TrainingSpec", chosen: str) -> None:
    """Refuse what only a target gives a meaning."""
    if spec.target is not None:
        _refuse("target", f"{chosen} learns without a target; leave it out")
    split = spec.split or Split()
    without = {
        "target_transform": spec.target_transform not in (None, "none"),
        "cv": spec.cv,
        "refit": spec.refit,
        "test_size": spec.test_size,
        "split.test_size": split.test_size,
        "split.random_state": split.random_state != SEED,
        "split.stratify": split.stratify is True,
        "split.group": split.group,
        "split.time": split.time,
    }
    if given := next((field for field, value in without.items() if value), None):
        _refuse(given, f"without a target nothing is measured, and {chosen} learns from all rows")


def _check_columns(spec: "TrainingSpec") -> None:
    seen: dict[str, str] = {}
    for field, column in spec.reserved.items():
        if column in seen:
            _refuse(field, f"{quoted(cut(column))} is also the {seen[column]}")
        seen[column] = field
        never = field in ("target", "sample_weight")  # a time or a group may also be learnt from
        if never and isinstance(spec.features, list) and column in spec.features:
            _refuse(field, f"{cut(column)} is also among the features")
    if spec.types and isinstance(spec.features, ExcludedColumns):
        unused = set(spec.features.exclude) - set(spec.reserved.values())
        if other := [name for name in spec.types if name in unused]:
            _refuse("types", f"{quoted(cut(other[0]))} is excluded from the features; leave it out")
    if spec.types and isinstance(spec.features, list):
        columns = dict.fromkeys([*spec.features, *spec.reserved.values()])
        if other := [name for name in spec.types if name not in columns]:
            meant = did_you_mean(other[0], columns)
            _refuse("types", f"{quoted(other[0])} is neither a feature nor the target{meant}")


def _check_split(spec: "TrainingSpec") -> None:
    split = spec.split
    if split is None:
        return
    if spec.test_size is not None and split.test_size is not None:
        _refuse("test_size", "given here and in split; give it once")
    if not spec.cv and spec.target is not None and not spec.resolved_split.test_size:
        _check_no_split(split)
    if split.group and split.time:
        _refuse("split.time", "a split is by group or by time, not both")
    if split.stratify is True:
        if split.time:
            _refuse("split.stratify", "a split in time cannot be stratified")
        if split.group and spec.resolved_split.test_size:
            _refuse(
                "split.stratify",
                "test rows by group cannot be stratified, but folds can; give cv without test_size",
            )
        if ESTIMATORS[spec.estimator or DEFAULT_ESTIMATOR].task != "classification":
            _refuse("split.stratify", "only the classes of a classifier can be stratified")
    if split.random_state != SEED:
        _check_seed(spec, split)


def _check_seed(spec: "TrainingSpec", split: Split) -> None:
    """Refuse a seed where nothing is drawn by chance."""
    if split.time:
        _refuse("split.random_state", "a split in time has nothing to draw; leave this out")
    drawn = spec.resolved_split.test_size or split.stratify is True
    if split.group and spec.cv and spec.cv.repeats == 1 and not drawn:
        _refuse(
            "split.random_state",
            "folds by group are drawn only if they are repeated or stratified; leave this out",
        )


def _check_no_split(split: Split) -> None:
    """Refuse what tells how to split rows of which none is to test the model."""
    without = {
        "split.group": split.group,
        "split.time": split.time,
        "split.stratify": split.stratify is True,
        "split.random_state": split.random_state != SEED,
    }
    if given := next((field for field, value in without.items() if value), None):
        _refuse(given, "with a test_size of 0 no row is split off; leave it out, or give cv")


def _check_refit(spec: "TrainingSpec") -> None:
    tests = spec.resolved_split.test_size
    if spec.cv:
        if spec.cv.folds * spec.cv.repeats > MAX_FITS:
            _refuse("cv.repeats", f"folds times repeats are at most {MAX_FITS} fits")
        if spec.cv.repeats > 1 and spec.split and spec.split.time:
            _refuse("cv.repeats", "folds in time are always the same; leave repeats out")
    if spec.refit is False and spec.cv and not tests:
        _refuse("refit", "false needs test rows beside the folds; give test_size")
    if spec.refit and not spec.cv and not tests:
        _refuse("refit", "with a test_size of 0 the model learns from all rows anyway")


def _check_preprocessing(spec: "TrainingSpec") -> None:
    asked = spec.preprocessing
    if asked is None:
        return
    if asked.fill_value is not None and asked.imputation != "constant":
        _refuse("preprocessing.fill_value", 'only the imputation "constant" has one')
    chosen = spec.estimator or DEFAULT_ESTIMATOR
    if asked.categories == "native" and not ESTIMATORS[chosen].native:
        why = f'{chosen} takes no categories as they are; choose "one-hot" or "ordinal"'
        _refuse("preprocessing.categories", why)
    for field, names in (("dates", asked.dates or []), ("tfidf", asked.tfidf or [])):
        if twice := repeated(names):
            _refuse(f"preprocessing.{field}", f"given more than once: {listed(twice)}")
    if asked.min_frequency is not None and asked.categories not in (None, "one-hot"):
        _refuse("preprocessing.min_frequency", 'only the categories "one-hot" have one')
    if asked.max_terms is not None and not asked.tfidf:
        _refuse("preprocessing.max_terms", "only columns of tfidf have terms; name them, too")
    _check_free_text(spec, asked.tfidf or [])


def _check_free_text(spec: "TrainingSpec", columns: Sequence[str]) -> None:
    for column in columns:
        declared = (spec.types or {}).get(column)
        if declared is not None and declared.type != "text":
            why = f"{quoted(cut(column))} is declared a {declared.type}, and TF-IDF takes a text"
            _refuse("preprocessing.tfidf", why)
        if isinstance(spec.features, list) and column not in spec.features:
            meant = did_you_mean(column, spec.features)
            _refuse("preprocessing.tfidf", f"{quoted(column)} is not a feature{meant}")


def _refuse(field: str, why: str) -> NoReturn:
    """Raise the error of a field; a validator of a model can name none by `ValueError`."""
    # Braces would be placeholders of pydantic's template.
    error = PydanticCustomError("value_error", "{why}", {"why": why})
    detail = InitErrorDetails(type=error, loc=tuple(field.split(".")), input=None)
    raise ValidationError.from_exception_data("TrainingSpec", [detail])
