import pytest

from app import errors
from app.models.shadows import WantedShadow
from app.producer.ui.seen import shadow_text, split_text, still, unchanged_since


def test_a_change_after_the_page_was_shown_is_a_conflict():
    unchanged_since(0)(None)
    unchanged_since(3)(3)
    for seen, now in ((0, 1), (3, 4), (3, None)):
        with pytest.raises(errors.Conflict, match="since this page was loaded"):
            unchanged_since(seen)(now)


@pytest.mark.parametrize(
    ("text", "seen", "wanted", "other", "said"),
    [
        (split_text, {"1": 9.0, "3": 1e-06}, {"2": 1.0}, {"1": 5.0}, "was 1=9, 3=1e-06, it is 1=5"),
        (split_text, None, {"2": 1.0}, {"1": 0.5}, "was none, it is 1=0.5 now"),
        (split_text, {"1": 1.0}, {"2": 1.0}, None, "was 1=1, it is none now"),
        (
            shadow_text,
            WantedShadow("champion", 3, 0.25),
            None,
            WantedShadow("champion", 3, 0.5),
            "was version 3 for 0.25 of champion, it is version 3 for 0.5 of champion now",
        ),
    ],
)
def test_a_state_is_as_it_was_shown_or_as_the_form_wants_it(text, seen, wanted, other, said):
    check = still("state", text(seen), wanted, text)

    check(seen)
    check(wanted)
    with pytest.raises(errors.Conflict) as caught:
        check(other)
    assert "somebody has changed the state since this page was loaded" in caught.value.detail
    assert said in caught.value.detail


def test_a_form_without_what_was_shown_has_seen_nothing():
    still("split", None, {"1": 1.0}, split_text)(None)
    with pytest.raises(errors.Conflict):
        still("split", None, {"1": 1.0}, split_text)({"2": 1.0})
