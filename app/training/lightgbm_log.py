"""Take what LightGBM prints: information into the log, warnings as warnings of Python."""

import logging
import warnings

log = logging.getLogger(__name__)


class LightgbmLog:
    """What LightGBM calls in place of printing. Its native part calls only `info`."""

    def info(self, text: str) -> None:
        """Take information."""
        log.debug("%s", text)

    def warning(self, text: str) -> None:
        """Take a warning."""
        warnings.warn(text, UserWarning, stacklevel=2)


def listen_to_lightgbm() -> None:
    """Have LightGBM print nothing any more in this process. It has to be installed."""
    import lightgbm  # which takes a second, and may not be installed

    lightgbm.register_logger(LightgbmLog())
