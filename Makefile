# `make` lists the targets.

python := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo up down logs status test test-unit test-integration test-system coverage \
	test-tls test-brokers test-pythons fuzz chaos bench lint format docs lock audit sbom \
	environment environment-python environment-dev environment-bench environment-audit

# Without it, every process would compile every module it imports again.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

##@ The local stack

demo: up ## install what is missing, start the stack, train, predict and print the result
	@$(python) -m devstack.demo

up: environment ## start the stack: RabbitMQ, S3, database, producer, consumer; AUTH=on asks for keys, TLS=1 encrypts
	@$(python) -m devstack.stack up

down: ## stop the stack; the data stay in .run
	@if [ -x $(python) ]; then $(python) -m devstack.stack down; fi

logs: ## follow the logs of the stack
	@$(python) -m devstack.stack logs

status: ## print what runs and where
	@$(python) -m devstack.stack status

##@ Tests (ARGS goes to pytest: make test-unit ARGS="-k predict")

# Two processes run the tests, file by file.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder

test-unit: environment-python ## run the unit tests; they need only Python
	@$(python) -m pytest $(IN_TWO) tests/unit $(ARGS)

test-integration: environment-dev ## run the tests with real servers
	@$(python) -m pytest $(IN_TWO) tests/integration $(ARGS)

test-system: environment-dev ## run the tests of whole processes
	@$(python) -m pytest $(IN_TWO) tests/system $(ARGS)

test: environment-dev ## run all tests
	@$(python) -m pytest $(IN_TWO) $(ARGS)

test-tls: environment-dev ## run the system tests with all connections encrypted
	@$(python) -m pytest $(IN_TWO) --tls tests/system $(ARGS)

coverage: environment-dev ## run all tests and print how much of app/ they cover
	@rm -rf .run/coverage && mkdir -p .run/coverage
	@$(python) -m coverage run -m pytest $(IN_TWO) $(ARGS); tests=$$?; \
	$(python) -m coverage combine --quiet && $(python) -m coverage report && exit $$tests

test-brokers: environment-dev ## run the tests of RabbitMQ against 4.0 and 4.3 (on Debian, as root)
	@$(python) -m devstack.rabbitmq_versions $(ARGS)

test-pythons: environment-dev ## run all tests on Python 3.11, 3.13 and 3.14; PYTHONS="/path/to/python3.14"
	@PYTHONS="$(PYTHONS)" $(python) -m devstack.pythons $(IN_TWO) $(ARGS)

##@ Longer runs

fuzz: environment-dev ## send a million broken requests and messages, costly models and trainings; ARGS="--cases 5000"
	@$(python) -m tests.fuzz $(ARGS)

chaos: environment-dev ## inject faults for ten minutes and count what was lost; ARGS="--seconds 60", ARGS="--hostile --seconds 60"
	@$(python) -m tests.chaos $(ARGS)

bench: environment-bench ## measure, beside others, and write docs/performance.md; ARGS="--only compare"
	@$(python) -m benchmarks $(ARGS)

##@ The code

format: environment-python ## format the code
	@$(python) -m ruff format .
	@$(python) -m ruff check --fix .

lint: environment-python ## check format, style, types and the direction of imports
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .
	@$(python) -m mypy app devstack clients/python/warren_client clients/python/warren_cli benchmarks examples
	@.venv/bin/lint-imports

docs: environment-python ## write docs/settings.md from the Settings class, and the blocking Python client
	@$(python) -m devstack.settings_page
	@$(python) -m devstack.blocking_client

LOCK := -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

# MLflow does not take all packages of requirements.lock, but those that models need must be the same.
OF_MODELS := ^(joblib|numpy|onnx|onnxruntime|pandas|scikit-learn|scipy|skops|threadpoolctl)==

lock: environment-python ## pin the newest versions of all requirements*.txt, with their hashes
	@$(python) $(LOCK) --upgrade -o requirements.lock requirements.txt
	@$(python) $(LOCK) --upgrade -c requirements.lock -o requirements-dev.lock requirements-dev.txt
	@$(python) $(LOCK) --upgrade -c requirements-dev.lock -o requirements-boosting.lock requirements-boosting.txt
	@$(python) $(LOCK) --upgrade -c requirements-dev.lock -o requirements-oidc.lock requirements-oidc.txt
	@$(python) $(LOCK) --upgrade -c requirements-dev.lock -o requirements-otel.lock requirements-otel.txt
	@$(python) $(LOCK) --upgrade -o requirements-audit.lock requirements-audit.txt
	@grep -E '$(OF_MODELS)' requirements.lock | tr -d '\\' >.run/of-models.txt
	@$(python) $(LOCK) --upgrade -c .run/of-models.txt -o requirements-mlflow.lock requirements-mlflow.txt
	@$(python) $(LOCK) --upgrade -c requirements.lock -o benchmarks/requirements.lock benchmarks/requirements.txt

audit: environment-audit ## compare the locks with known vulnerabilities, look for risky code
	@.venv-audit/bin/python -m devstack.audit

sbom: environment-audit ## list what requirements.lock pins, as CycloneDX, in .run/sbom.json
	@.venv-audit/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		-o .run/sbom.json requirements.lock
	@echo ".run/sbom.json"

environment:
	@devstack/bootstrap.sh

environment-python:
	@devstack/bootstrap.sh python

environment-dev:
	@devstack/bootstrap.sh dev

environment-bench:
	@devstack/bootstrap.sh bench

environment-audit:
	@devstack/bootstrap.sh audit
