from app.settings import Settings
from devstack import settings_page


def test_the_page_of_the_settings_is_the_rendering_of_the_class():
    assert settings_page.PAGE.read_text() == settings_page.render(), "run `make docs`"


def test_every_setting_is_described_in_a_sentence():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert "|" not in field.description, name


def test_the_environment_may_hold_a_number_as_the_page_writes_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIT_MEMORY", "4_000_000_000")

    assert "`4_000_000_000`" in settings_page.render()
    assert Settings().fit_memory == 4_000_000_000
