"""How images of all kinds become requests."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from tests.support import pictures
from warren_client import errors
from warren_client.images import MAX_BYTES, MAX_IMAGES, Images, images_of

MODEL = {"model_id": "m", "kind": "onnx", "inputs": [{"name": "x", "image": {"size": [4, 4]}}]}
PIXELS = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
RED = pictures.file(Image.new("RGB", (4, 4), "red"))


def decoded(images: Images) -> list[Image.Image]:
    count, member = images.part(0, 1000)
    assert count == len(images.data)
    files = [base64.b64decode(each) for each in member["image_data"]]
    return [Image.open(io.BytesIO(each)) for each in files]


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[:, :, 0], PIXELS[:, :, :1], PIXELS[:, ::-1]])
def test_an_array_keeps_each_pixel(pixels: Any) -> None:
    (image,) = decoded(images_of(pixels))
    assert image.format == "PNG"
    assert np.array_equal(np.asarray(image), pixels.squeeze())


def test_an_array_with_alpha_and_several_arrays(tmp_path: Path) -> None:
    clear = np.dstack([PIXELS, np.full((3, 5), 7, np.uint8)])
    asked = images_of(clear)
    assert asked.single
    assert np.array_equal(np.asarray(decoded(asked)[0]), clear)
    several = images_of(np.stack([PIXELS, PIXELS + 1]))
    assert not several.single
    assert np.array_equal(np.asarray(decoded(several)[1]), PIXELS + 1)


@pytest.mark.parametrize(
    "wrong",
    [
        PIXELS / 255,
        PIXELS.astype(np.int64),
        PIXELS.astype(bool),
        PIXELS.transpose(2, 0, 1),  # channels first
        PIXELS[:0],
    ],
)
def test_an_array_that_may_mean_something_else_is_not_sent(wrong: Any) -> None:
    with pytest.raises(errors.Unsendable, match="as height x width x 3 in the order RGB"):
        images_of(wrong).part(0, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_an_image_of_pillow_keeps_its_colours(mode: str) -> None:
    image = Image.fromarray(PIXELS).convert(mode)
    (found,) = decoded(images_of(image))
    assert found.convert("RGB").tobytes() == image.convert("RGB").tobytes()


def test_an_image_of_pillow_stays_turned_as_its_file_is() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = pictures.file(Image.fromarray(PIXELS), "JPEG", exif=exif)
    (found,) = decoded(images_of(Image.open(io.BytesIO(file))))
    assert found.getexif()[ExifTags.Base.Orientation] == 6


def test_pixels_of_16_bits_are_not_sent() -> None:
    with pytest.raises(errors.Unsendable, match="scale them to 8 bits"):
        images_of(Image.new("I;16", (4, 4))).part(0, 1)


@pytest.mark.parametrize(
    "wrong", [5, None, {"a": 1}, pd.DataFrame({"a": ["x.png"]}), [5], [[1, 2]], [None]]
)
def test_what_is_no_image_is_not_sent(wrong: Any) -> None:
    with pytest.raises(errors.Unsendable, match="give the path of an image, its bytes"):
        images_of(wrong).part(0, 1)


def test_files_and_bytes_go_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "red.jpg"
    file.write_bytes(b"not even an image")
    url = "data:image/png;base64,AAAA"
    asked = images_of([file, str(file), RED, bytearray(RED), url])
    _, member = asked.part(0, 9)
    *files, last = member["image_data"]
    assert [base64.b64decode(each) for each in files] == [file.read_bytes()] * 2 + [RED] * 2
    assert last == url
    with pytest.raises(FileNotFoundError):
        images_of("none.png").part(0, 1)


def test_a_request_has_as_many_images_as_it_may() -> None:
    small, large = images_of([RED] * 100), images_of([bytes(MAX_BYTES // 3)] * 5 + [RED])
    assert small.part(0, 10_000)[0] == MAX_IMAGES
    assert small.part(64, 10_000)[0] == 36
    assert small.part(0, 5)[0] == 5
    assert [large.part(at, 10_000)[0] for at in (0, 2, 4)] == [2, 2, 2]
    assert images_of([bytes(2 * MAX_BYTES)]).part(0, 10_000)[0] == 1


def test_answers_come_as_the_images_did(scripted: Any, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(RED)
    files = pd.Series([str(tmp_path / "red.png")] * 70, index=range(100, 170))
    scripted.script.answer(200, MODEL)
    model = scripted.warren.models["m"]
    for count in (1, 2, 64, 6):
        message = {"prediction": ["red"] * count, "pred_proba": [{"red": 1.0}] * count}
        scripted.script.answer(200, {"message": message})

    assert model.predict(RED) == "red"
    assert model.predict((RED, RED), proba=True) == [{"red": 1.0}] * 2
    found = model.predict(files)
    assert list(found.index) == list(files.index)
    assert set(found) == {"red"}
    assert [len(each.json()["image_data"]) for each in scripted.script.asked[1:]] == [1, 2, 64, 6]


def test_a_model_of_rows_is_sent_no_image(scripted: Any) -> None:
    scripted.script.answer(200, {"model_id": "m", "kind": "trained"})
    model = scripted.warren.models["m"]
    for asked in (RED, [Path("red.png")], Image.new("L", (1, 1))):
        with pytest.raises(errors.Unsendable, match="takes rows"):
            model.predict(asked)


def test_an_endpoint_gets_what_it_is_asked_with(scripted: Any) -> None:
    scripted.script.answer(200, {"model_id": "far", "kind": "endpoint"})
    model = scripted.warren.models["far"]
    for _ in range(2):
        scripted.script.answer(200, {"message": {"prediction": [7]}})
    assert model.predict([RED]) == [7]
    assert model.predict([{"a": 1}]) == [7]
    assert [set(each.json()) for each in scripted.script.asked[1:]] == [
        {"model_id", "image_data"},
        {"model_id", "input_data"},
    ]
