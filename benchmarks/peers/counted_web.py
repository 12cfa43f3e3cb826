"""Warren's producer without its count of requests; with `instrumentator`, that one counts them.

prometheus-fastapi-instrumentator is used as its documentation shows. It comes from the peers'
environment, and all that it needs from Warren's.
"""

import sys
from pathlib import Path

from app.observability import logs
from app.producer.app import create_app
from app.producer.main import serve
from app.producer.middleware.http_metrics import HttpMetrics
from app.settings import Settings

settings = Settings().acting_as("producer")
logs.configure(settings.log_level)
app = create_app(settings)
app.user_middleware = [each for each in app.user_middleware if each.cls is not HttpMetrics]
if sys.argv[1:] == ["instrumentator"]:
    (packages,) = Path(__file__).parents[2].glob(".venv-bench/lib/python3*/site-packages")
    sys.path.append(str(packages))
    from prometheus_fastapi_instrumentator import Instrumentator

    Instrumentator().instrument(app).expose(app, endpoint="/instrumented")
serve(app, settings)
