# Each target makes what it needs from python3 and the package index. uv, which reads the lock file,
# is installed beside the environment, so that its version is ours whatever the machine has.
VENV := .venv
PYTHON ?= python3
UV := .uv/bin/uv
RUN := $(VENV)/bin
# Where it is set, each of the many programs that tests start would compile all its libraries anew.
unexport PYTHONDONTWRITEBYTECODE
PARALLEL := -n auto --maxprocesses 8 --dist loadfile

.PHONY: demo test slow fuzz bench lint format spans prices docs dashboards rules clean

demo: $(VENV)/ready
	@$(RUN)/farthing demo

test: $(VENV)/ready
	$(RUN)/pytest -m "not slow" $(PARALLEL)

slow: $(VENV)/ready
	$(RUN)/pytest -m slow $(PARALLEL)

fuzz: $(VENV)/ready
	$(RUN)/pytest tests/contract/test_fuzz.py --hypothesis-seed=random $(PARALLEL)

bench: $(VENV)/ready
	@$(RUN)/python -m tests.benchmarks

lint: $(VENV)/ready
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/pyright

format: $(VENV)/ready
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

# Samples of real spans of other tracers, and every file that derives from code or from a release.
spans: $(VENV)/ready
	$(RUN)/python scripts/sample_spans.py $(EMITTERS)

prices docs dashboards rules: $(VENV)/ready
	$(RUN)/python scripts/make_$@.py

$(VENV)/ready: pyproject.toml uv.lock | $(UV)
	@echo "Installing the development environment into $(VENV) …"
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --locked --quiet --python $(PYTHON)
	@touch $@

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "farthing needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

clean:
	rm -rf $(VENV) .uv .venv-peers dist build .pytest_cache .ruff_cache .hypothesis
