import logging

import lightgbm
import numpy as np
import pytest

from app.training.lightgbm_log import LightgbmLog, listen_to_lightgbm


def test_information_goes_to_the_log_and_warnings_are_warnings(caplog):
    caplog.set_level(logging.DEBUG, "app.training.lightgbm_log")

    LightgbmLog().info("100% of the rows")
    with pytest.warns(UserWarning, match="^No further splits$"):
        LightgbmLog().warning("No further splits")

    assert [record.getMessage() for record in caplog.records] == ["100% of the rows"]


def test_a_fit_prints_nothing(caplog, capfd):
    caplog.set_level(logging.DEBUG, "app.training.lightgbm_log")
    x = np.arange(60.0).reshape(-1, 1)
    listen_to_lightgbm()

    lightgbm.LGBMRegressor(n_estimators=1, verbose=2, n_jobs=1).fit(x, x[:, 0])

    assert capfd.readouterr() == ("", "")
    assert any("Number of data points in the train set: 60" in each for each in caplog.messages)
