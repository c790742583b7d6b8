"""Settings as a list to read."""

from studio.settings.listing import listed, listed_plainly
from studio.settings.train import Full, TrainSettings


def test_every_setting_is_listed_once_with_its_value_in_words():
    plain = TrainSettings(dataset="letters", learning_rate=1e-4, epochs=3, recompute=True).plain()
    found = {one.key: one for one in listed(TrainSettings, plain)}
    assert len(found) == len(listed(TrainSettings, plain))
    assert found["learning_rate"].value == "0.0001"
    assert found["epochs"].value == "3 passes over the data"
    assert found["recompute"].value == "on"
    assert found["cutoff"].value.startswith("automatic: the longest row")
    assert found["method.name"].value == "LoRA"
    assert found["schedule"].value == "In a curve"
    assert {key for key, one in found.items() if one.changed} == {"dataset", "learning_rate", "epochs", "recompute"}


def test_what_the_method_does_not_have_is_not_listed():
    plain = TrainSettings(dataset="letters", method=Full()).plain()
    keys = [one.key for one in listed(TrainSettings, plain)]
    assert "method.name" in keys and "method.rank" not in keys
    assert next(one for one in listed(TrainSettings, plain) if one.key == "method.name").changed


def test_settings_without_a_declaration_are_listed_as_they_are():
    assert [(one.title, one.value) for one in listed_plainly({"fail_at": 3, "files": ["a", "b"]})] == [
        ("Fail at", "3"),
        ("Files", "a, b"),
    ]
