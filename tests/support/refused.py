"""Bodies that clients send by mistake, with the text of each error; for HTTP and AMQP."""

import json
from typing import Any

ROW = {"age": 0.04, "bmi": 0.06}
PREDICT = '{"model_id": "latest", "input_data": {"age": 0.04, "bmi": 0.06}}'
TRAIN = '{"dataset_id": "diabetes", "features": ["age", "bmi"], "target": "target"}'
TRAINING = json.loads(TRAIN)

# As pandas, MLflow, TensorFlow Serving, SageMaker and others wrap rows; and other shapes.
WRAPPED: list[tuple[Any, str]] = [
    ({"dataframe_split": {"columns": ["age"]}}, "you sent {dataframe_split}"),
    ({"dataframe_records": [ROW]}, "you sent {dataframe_records}"),
    ({"instances": [ROW]}, "you sent {instances}"),
    ({"signature_name": "s", "instances": [ROW]}, "you sent {signature_name, instances}"),
    ({"inputs": [ROW]}, "you sent {inputs}"),
    ({"data": ROW}, "you sent {data}"),
    ({"body": json.loads(PREDICT)}, "you sent {body}"),
    (ROW, "you sent {age, bmi}"),
    ({f"c{n}": n for n in range(10_000)}, "you sent {c0, c1, c2, c3, c4, …}"),
    ({"x" * 10**6: 1}, "you sent {xxxx"),
    ([ROW], "must be an object, but you sent a list"),
    ([[1, 2]], "must be an object, but you sent a list"),
    ("text", "must be an object, but you sent a string"),
    (PREDICT, "must be an object, but you sent a string that holds JSON, encoded twice"),
    (5, "must be an object, but you sent a number"),
    (True, "must be an object, but you sent true"),
    (None, "is missing, or null"),
]

# Bodies that are no JSON: what is said of each.
NOT_JSON: list[tuple[bytes, str]] = [
    (b"", "not valid JSON: it is empty"),
    (b"{'a': 1}", "line 1, column 2: a string or a name stands between double quotation marks"),
    (b'{"a": None}', 'line 1, column 7: found "None"; JSON writes null'),
    (b'{"a": NaN}', "NaN is not a JSON number; send null for a missing value"),
    (b'{"a": 1e999}', "1e999 is too large for a number"),
    (b'{"a": 1, "a": 2}', 'the key "a" stands twice in one object'),
    (b"[" * 70 + b"]" * 70, "nested deeper than 64 levels"),
    (b"9" * 5000, "a number has too many digits"),
    (b"model_id=m&a=1", 'line 1, column 1: found "model_id" where a value has to stand'),
]

# Of predictions: the body, the field, what is said.
PREDICTIONS: list[tuple[Any, str, str]] = [
    ({"model_id": "m", "instances": [ROW]}, "body", "you sent {model_id, instances}"),
    ({"model_id": "m", "inputData": ROW}, "input_data", 'you sent "inputData"'),
    ({"modelId": "m", "input_data": ROW}, "model_id", 'is missing; you sent "modelId"'),
    ({"model_id": "m"}, "input_data", "is missing, or null; give this or image_data"),
    ({"model_id": "m", "input_data": []}, "input_data", "must not be empty"),
    (
        {"model_id": "a b", "input_data": ROW},
        "model_id",
        "use a string of letters, digits, underscores",
    ),
    (
        {"model_id": 5, "input_data": ROW},
        "model_id",
        "or :version may follow; you sent the number 5",
    ),
    (
        {"model_id": None, "input_data": ROW},
        "model_id",
        "use a string of letters, digits, underscores",
    ),
    ({"model_id": "m", "image_data": 5}, "image_data", "must be a string"),
]

# Of predictions over HTTP, where a key that is not known is an error.
UNKNOWN_KEYS: list[tuple[Any, str, str]] = [
    ({"dataset": "d"}, "dataset", 'this key is not known; did you mean "dataset_id"?'),
    ({"verbose": 1}, "verbose", "this key is not known; known are image_data, input_data, "),
    ({"x" * 10**6: 1}, "x" * 256 + "…", "this key is not known; known are "),
    ({'a"\n': 1}, 'a"\n', "this key is not known; known are "),
]

# Of trainings.
TRAININGS: list[tuple[Any, str, str]] = [
    ({"dataset": "d", "features": ["a"], "target": "t"}, "dataset_id", 'you sent "dataset"'),
    ({"dataset_id": "d", "feature": ["a"], "target": "t"}, "feature", 'did you mean "features"?'),
    ({**TRAINING, "features": "age"}, "features", "must be a list of columns"),
    ({**TRAINING, "features": []}, "features", "must not be empty"),
    ({**TRAINING, "features": ["age", "age"]}, "features", "given more than once: age"),
    (
        {**TRAINING, "features": ["\u00f6", "o\u0308"]},
        "features",
        "given more than once: \u00f6, perhaps in two forms of Unicode",
    ),
    ({**TRAINING, "target": "age"}, "target", "age is also among the features"),
    ({**TRAINING, "test_size": "0.2"}, "test_size", "must be 0, a number above 0"),
    ({**TRAINING, "test_size": 1.5}, "test_size", "or a whole number of at least 1, the count"),
    ({**TRAINING, "types": {"size": "number"}}, "types", "is neither a feature nor the target"),
    ({**TRAINING, "types": {"age": "int"}}, "types.age", 'must be one of "number", "category"'),
    ({**TRAINING, "calibrate": "sigmoid"}, "calibrate", "only a classifier can be calibrated"),
    ({**TRAINING, "calibrate": "platt"}, "calibrate", 'must be "sigmoid" or "isotonic"'),
    ({**TRAINING, "max_memory": 0.5}, "max_memory", "must be a whole number"),
    ({**TRAINING, "params": [1]}, "params", "must be an object"),
    ({**TRAINING, "estimator": "Rigde"}, "estimator", 'did you mean "ridge"?'),
    (
        {**TRAINING, "estimator": "RandomForestClassifer"},
        "estimator",
        'as "RandomForestClassifer"; did you mean "random_forest_classifier"? choose one of',
    ),
    (
        {**TRAINING, "estimator": "xgboost"},
        "estimator",
        'no such estimator as "xgboost"; choose one of',
    ),
]
