# Needs Python 3.11, 3.12 or 3.13 with venv, git and make; everything else goes into .venv.
# Settings come from the environment, then from .env where there is one (see .env.example).

VENV := .venv
PY := $(VENV)/bin/python
RUNTIME := $(VENV)/.runtime
PATHS := $(VENV)/.paths
DEV := $(VENV)/.dev
RAY := $(VENV)/.ray
SPARK := $(if $(shell command -v java 2>/dev/null),$(VENV)/.spark)
# 3.11 first: it is the version of the images and of CI.
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3)
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-compile
# By all cores, where pip would use one. Not left to the first import: where Python is told to keep
# nothing (PYTHONDONTWRITEBYTECODE), each process would compile all that it imports.
COMPILE := $(PY) -m compileall -qq -j 0 $(VENV)/lib || true
# Files of tests side by side: each process that runs some has an MLflow server of its own.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
WITH_ENV := $(if $(wildcard .env),$(PY) -m dotenv run --no-override --)

export PYTHONPATH := $(CURDIR)/services
export MLFLOW_DISABLE_TELEMETRY ?= true

.DEFAULT_GOAL := help
.PHONY: help up test test-full test-compose lint train retrain splits sweep promote transcribe lock clean
.PHONY: starter bench bench-reading bench-train bench-curve bench-serving bench-soak bench-transcribe

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

up: $(RUNTIME) ## Start MLflow, the API and a first training here, without Docker (Ctrl-C stops all)
	@exec $(WITH_ENV) $(PY) -m tools.up

test: $(DEV) ## Run the tests, but for the long ones (ARGS="-k name" to choose, -n0: one by one)
	$(PY) -m pytest -m "not slow and not compose" $(SIDE_BY_SIDE) $(ARGS)

test-full: $(DEV) ## Run every test: also soak, fault and, with a Docker engine, compose
	$(PY) -m pytest $(ARGS)

test-compose: $(DEV) ## Build and try the containers; skips where no Docker engine answers
	$(PY) -m pytest -m compose tests/compose $(ARGS)

lint: $(DEV) ## Check style, imports, formatting, types, and dependencies for vulnerabilities
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	@$(PY) -m tools.audit

train: $(RUNTIME) ## Train and register a version (ARGS="--dataset lines ..."; ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m trainer train $(ARGS)

retrain: $(RUNTIME) ## Let the version in production learn from corrections (ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m trainer retrain $(ARGS)

splits: $(RAY) ## Train on several splits side by side, for mean and spread (ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m trainer splits $(ARGS)

sweep: $(RAY) ## Search settings of a training (ARGS="examples/sweep.yaml"; ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m trainer sweep $(ARGS)

promote: $(RUNTIME) ## Make a version the one that is served (VERSION=7)
	$(if $(VERSION),,$(error which version? make promote VERSION=7))
	@exec $(WITH_ENV) $(PY) -m trainer promote --version $(VERSION) $(ARGS)

transcribe: $(RAY) ## Read a corpus of images (ARGS="scans --out readings.parquet"; ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m trainer transcribe $(or $(ARGS),--help)

starter: $(RUNTIME) ## Make the starter model anew, from its sources on (ARGS="--minutes 600"; ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m tools.starter make $(ARGS)

bench: $(RUNTIME) ## Measure where the time of an image goes (ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m tools.bench $(ARGS)

bench-reading: $(RUNTIME) ## Measure how well sets are read (ARGS="-d lines:... --peers"; --help)
	@exec $(WITH_ENV) $(PY) -m tools.bench_reading read $(ARGS)

bench-train: $(RUNTIME) ## Train networks for equal time, to compare them (ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m tools.bench_reading train $(ARGS)

bench-curve: $(RUNTIME) ## Train on 10 to 100 % of the lines and draw the curve (ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m tools.bench_reading curve $(ARGS)

bench-serving: $(RUNTIME) ## Measure the API against other servers of the same version (ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m tools.bench_serving compare $(ARGS)

bench-soak: $(RUNTIME) ## Send the API twice what it can bear, and change its version (ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m tools.bench_serving soak $(ARGS)

bench-transcribe: $(RAY) ## Measure reading a corpus on Ray (ARGS="scans"; ARGS=--help)
	@exec $(WITH_ENV) $(PY) -m tools.bench_transcribe $(ARGS)

lock: $(DEV) ## Pin the requirements anew from the .in files (ARGS=--upgrade for newer releases)
	$(PIP_INSTALL) uv
	sh tools/lock.sh $(VENV)/bin/uv $(ARGS)

clean: ## Remove .venv and caches; .data (models and runs) stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find services tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@for python in $(PYTHONS); do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "No usable Python among: $(PYTHONS). TensorFlow needs Python 3.11, 3.12 or 3.13, here with" >&2; \
	echo "its venv module (Debian: python3-venv). Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; \
	exit 1

$(RUNTIME): services/trainer/requirements.txt services/api/requirements.txt | $(PY) $(PATHS)
	@echo "Installing the services' requirements into $(VENV): 2.9 GB, some minutes, once"
	@$(PIP_INSTALL) -r services/trainer/requirements.txt -r services/api/requirements.txt
	@$(COMPILE)
	@touch $@

# python -m trainer, wherever it is called
$(PATHS): | $(PY)
	@$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' | \
	  while read -r site; do echo "$(CURDIR)/services" > "$$site/handwriting.pth"; done
	@touch $@

$(RAY): services/trainer/requirements-ray.txt $(RUNTIME)
	@echo "Installing Ray into $(VENV)"
	@$(PIP_INSTALL) -r services/trainer/requirements-ray.txt
	@$(COMPILE)
	@touch $@

$(VENV)/.spark: services/trainer/requirements-spark.txt $(RUNTIME)
	@echo "Installing Spark into $(VENV), since there is a Java"
	@$(PIP_INSTALL) -r services/trainer/requirements-spark.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME) $(RAY) $(SPARK)
	@echo "Installing the development tools into $(VENV)"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@$(COMPILE)
	@touch $@
