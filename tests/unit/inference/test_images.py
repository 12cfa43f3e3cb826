import tracemalloc
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app import errors
from app.inference import images
from app.models.graph_spec import Preprocessing
from tests.support import pictures
from tests.support.pictures import BLUE, GREEN, RED

SIZE = Preprocessing(size=[4, 4])
LIMIT = 25_000_000


def decoded(image, wanted=SIZE, limit=LIMIT):
    return images.decode(image, wanted, limit)


def refused(image, limit=LIMIT):
    with pytest.raises(errors.WarrenError) as caught:
        images.decode(image, SIZE, limit, "image_data.3")
    assert caught.value.extra["field"] == "image_data.3"
    assert caught.value.detail.startswith("image_data.3: ")
    return caught.value


@pytest.mark.parametrize(
    ("image", "colour"),
    {
        "png": (pictures.image(RED), RED),
        "a data URL": ("data:image/png;base64," + pictures.image(RED), RED),
        "webp": (pictures.image(BLUE, kind="WEBP", lossless=True), BLUE),
        "webp, lossy": (pictures.image(77, mode="L", kind="WEBP"), (77, 77, 77)),
        "webp, transparent": (
            pictures.image((*BLUE, 0), mode="RGBA", kind="WEBP", lossless=True),
            (255, 255, 255),
        ),
        "jpeg": (pictures.image(BLUE, kind="JPEG"), (0, 0, 254)),
        "grey": (pictures.image(77, mode="L"), (77, 77, 77)),
        "grey jpeg": (pictures.image(77, mode="L", kind="JPEG"), (77, 77, 77)),
        "black and white": (pictures.image(1, mode="1"), (255, 255, 255)),
        "palette": (pictures.saved(Image.new("RGB", (9, 9), GREEN).convert("P")), GREEN),
        "opaque": (pictures.image((*BLUE, 255), mode="RGBA"), BLUE),
        "transparent": (pictures.image((*BLUE, 0), mode="RGBA"), (255, 255, 255)),
        "half": (pictures.image((0, 0, 0, 51), mode="RGBA"), (204, 204, 204)),
        "grey and alpha": (pictures.image((0, 0), mode="LA"), (255, 255, 255)),
        "palette, transparent": (pictures.image(0, mode="P", transparency=0), (255, 255, 255)),
        "palette, alpha": (pictures.image(0, mode="P", transparency=b"\0"), (255, 255, 255)),
        "a colour that is transparent": (pictures.image(RED, transparency=RED), (255, 255, 255)),
        "one pixel": (pictures.image(RED, (1, 1)), RED),
        "long": (pictures.image(RED, (1, 20_000)), RED),
    }.values(),
)
def test_an_image_becomes_rgb(image, colour):
    pixels = decoded(image)

    assert (pixels.shape, pixels.dtype) == ((4, 4, 3), np.uint8)
    assert np.abs(pixels.astype(int) - colour).max() <= 1


@pytest.mark.parametrize(
    ("image", "says"),
    {
        "nothing": ("", "empty"),
        "no base64": ("red!", "not base64"),
        "a data URL that is a text": ("data:image/svg+xml,<svg/>", "has to say ;base64"),
        "no ASCII": ("é" * 8, "not base64"),
        "a text": (pictures.encode(b"a picture of a cat"), "none of JPEG, PNG, WEBP"),
        "a GIF": (pictures.image(kind="GIF"), "none of JPEG, PNG, WEBP"),
        "a TIFF": (pictures.image(kind="TIFF"), "none of JPEG, PNG, WEBP"),
        "animated": (pictures.animated(), "animated"),
        "an animated WebP": (pictures.animated("WEBP"), "animated"),
        "CMYK": (pictures.image((0, 0, 0, 0), mode="CMYK", kind="JPEG"), "CMYK"),
        "16 bits grey": (pictures.image(999, mode="I;16"), "16 bits"),
        "16 bits": (pictures.encode(pictures.png(1, 1, data=bytes(7), depth=16)), "16 bits"),
        "texts": (pictures.texts(), "header is broken"),
        "no pixels": (pictures.encode(pictures.png(9, 9)), "broken"),
        "a header alone": (pictures.encode(pictures.png(9, 9)[:40]), "broken"),
        "a wide of nothing": (pictures.encode(pictures.png(0, 9)), "broken"),
    }.values(),
)
def test_what_is_no_such_image_is_refused_with_the_reason(image, says):
    error = refused(image)

    assert isinstance(error, errors.Invalid)
    assert says in error.detail


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_cut_image_is_refused_wherever_it_is_cut(kind):
    noise = np.random.default_rng(0).integers(0, 255, (30, 30, 3), np.uint8)
    whole = pictures.file(Image.fromarray(noise), kind)

    for end in range(0, len(whole) - 20, 50):
        assert isinstance(refused(pictures.encode(whole[:end])), errors.Invalid)


@given(
    position=st.integers(0, 10_000),
    value=st.integers(0, 255),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP"]),
)
def test_a_damaged_image_is_read_or_refused(position, value, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = bytearray(pictures.file(Image.linear_gradient("L").resize((20, 20)), kind, exif=exif))
    file[position % len(file)] = value

    with suppress(errors.Invalid, errors.TooLarge):
        assert decoded(pictures.encode(bytes(file))).shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("bomb", "size"),
    [
        (pictures.bomb(), "30000 x 30000"),
        (pictures.encode(pictures.WEBP_BOMB), "16383 x 16383"),
    ],
    ids=["PNG", "WEBP"],
)
def test_a_bomb_is_refused_before_it_is_decoded(bomb, size):
    assert len(bomb) < 1500
    tracemalloc.start()
    try:
        error = refused(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(error, errors.TooLarge)
    assert size in error.detail
    assert peak < 1_000_000


def test_as_many_pixels_as_the_limit_are_read_and_no_more():
    image = pictures.image(size=(10, 10))

    assert decoded(image, limit=100).shape == (4, 4, 3)
    assert isinstance(refused(image, limit=99), errors.TooLarge)


def test_a_side_has_a_limit_too():
    assert isinstance(refused(pictures.image(size=(20_001, 1))), errors.TooLarge)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_image_is_turned_as_its_exif_says(turn, kind):
    """Red is left and blue is right once it has been turned, and green at the top right."""
    upright = Image.new("RGB", (40, 20), RED)
    upright.paste(BLUE, (20, 0, 40, 20))
    upright.paste(GREEN, (20, 0, 40, 10))
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    method = undo.get(turn, images._TURNS.get(turn))
    stored = upright if method is None else upright.transpose(method)
    exif = Image.Exif()
    exif[0x0112] = turn

    pixels = decoded(pictures.saved(stored, kind, exif=exif), Preprocessing(size=[20, 40])).astype(
        int
    )

    assert np.abs(pixels[:, 5] - RED).max() < 40
    assert np.abs(pixels[15, 35] - BLUE).max() < 40
    assert np.abs(pixels[5, 35] - GREEN).max() < 40


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\x99\x99"]
)
def test_broken_exif_is_no_reason_to_refuse_and_no_warning(exif):
    with warnings.catch_warnings(action="error"):
        assert decoded(pictures.image(kind="JPEG", exif=exif)).shape == (4, 4, 3)


def test_the_middle_is_what_scaling_and_cutting_gives():
    noise = np.random.default_rng(0).integers(0, 255, (61, 97, 3), np.uint8)
    wanted = Preprocessing(size=[24, 20], resize=32)
    scaled = Image.fromarray(noise).resize((int(32 * 97 / 61), 32), Image.Resampling.BILINEAR)
    left, top = round((scaled.width - 20) / 2), round((32 - 24) / 2)
    cut = np.asarray(scaled.crop((left, top, left + 20, top + 24))).astype(int)

    assert np.abs(decoded(pictures.saved(Image.fromarray(noise)), wanted) - cut).max() <= 1


def test_the_middle_of_a_line_takes_no_memory():
    wanted = Preprocessing(size=[224, 224], resize=4096)

    assert decoded(pictures.image(size=(1, 20_000)), wanted).shape == (224, 224, 3)


def test_numbers_are_scaled_channel_by_channel():
    pixels = np.array([[[[255, 0, 51]]]], np.uint8)
    wanted = {"size": [1, 1], "mean": [0.5, 0.25, 0.0], "std": [0.5, 1.0, 2.0]}

    rgb = images.tensor(pixels, Preprocessing(**wanted))
    bgr = images.tensor(pixels, Preprocessing(**wanted, channels="BGR"))
    last = images.tensor(pixels, Preprocessing(**wanted, layout="NHWC"))

    assert rgb.dtype == np.float32
    assert rgb.shape == (1, 3, 1, 1)
    assert rgb.ravel() == pytest.approx([1.0, -0.25, 0.1])
    assert bgr.ravel() == pytest.approx([-0.6, -0.25, 0.5])
    assert last.shape == (1, 1, 1, 3)
    assert last.ravel() == pytest.approx(rgb.ravel())


def test_a_tensor_of_bytes_holds_the_pixels_as_they_are():
    pixels = np.array([[[[255, 0, 51]]]], np.uint8)

    raw = images.tensor(pixels, Preprocessing(size=[1, 1], channels="BGR"), np.uint8)

    assert raw.dtype == np.uint8
    assert raw.ravel().tolist() == [51, 0, 255]
