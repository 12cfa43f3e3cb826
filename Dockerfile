# One image: the producer, the consumer and the migrations differ by their command only. SageMaker's
# command is `serve`, which is the producer on the port that SageMaker calls.
#   docker build -t warren .

# The Python that requirements.lock was made for, on the current Debian; rebuild for its fixes.
FROM python:3.11-slim-trixie AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1


FROM base AS packages
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
COPY requirements.lock .
# Wheels only: nothing is compiled, so no compiler is needed and none of a package's code runs here.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --disable-pip-version-check \
        --require-hashes --no-deps --only-binary=:all: -r requirements.lock


FROM base
# By number, so that an orchestrator can tell that it is not root.
RUN groupadd --gid 10001 warren \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /srv/warren \
        --shell /usr/sbin/nologin warren
WORKDIR /srv/warren
COPY --from=packages /opt/venv /opt/venv
# The modes do not depend on the umask of the checkout, because every user must be able to read.
COPY --chmod=644 pyproject.toml ./
COPY --chmod=755 app app
COPY --chmod=755 deploy/sagemaker/serve /usr/local/bin/

# Everything here belongs to root and is only read; what is written goes to /tmp.
USER 10001:10001
ENV HOST=0.0.0.0 \
    PORT=5000 \
    PYTHONPATH=/srv/warren
EXPOSE 5000

# Whether this process serves, and no more: restarting it would not bring back a lost broker, which
# is what /health/all tells. The empty ProxyHandler keeps the call out of a proxy of the environment.
# `serve` sets a PORT of its own, which only its process knows.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD \
    for port in "$PORT" "${SAGEMAKER_BIND_TO_PORT:-8080}"; do \
        python -c "import sys, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{sys.argv[1]}/health', timeout=2)" "$port" && exit 0; \
    done; exit 1

CMD ["python", "-m", "app.producer.main"]

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Warren" \
    org.opencontainers.image.description="Machine-learning jobs over RabbitMQ" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-trixie"
