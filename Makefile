# Every target sets up what it needs; see README.md.
.PHONY: help setup setup-test setup-retrain demo demo-drift demo-loop test check grafana bench bench-drift lock clean
.DEFAULT_GOAL := help
BIN := .venv/bin
# By environment: a shell would cut a URL at its first &, and a process list would show its password.
export DEMO_SOURCE := $(or $(value ARGS),$(value DEMO_SOURCE))
CODE := footfall service monitoring retrain tests benchmarks grafana scripts

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup:  ## Install what counting needs
	@scripts/setup.sh runtime

setup-test:  ## Install what the tests need too
	@scripts/setup.sh test

setup-retrain:  ## Install what training a detector needs too (PyTorch, Ultralytics)
	@scripts/setup.sh retrain

demo: setup  ## Count on a source: make demo ARGS="rtsp://…"
	@scripts/demo.sh

demo-drift: setup  ## Show how a drift is noticed, named and followed, in five minutes
	@ORT_DISABLE_TELEMETRY=1 $(BIN)/python scripts/demo_drift.py

demo-loop: setup-retrain  ## Show the whole loop: fog, labels, retraining, gates, canary, rollback
	@ORT_DISABLE_TELEMETRY=1 $(BIN)/python scripts/demo_loop.py

check: setup-test  ## Format, lint, types, import direction, docs
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/unit/docs

test: check  ## All checks and all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

grafana: setup  ## Tell how to start Prometheus and Grafana with our rules and dashboards
	@$(BIN)/python grafana/start.py

bench-drift: setup-test  ## Measure how well drift is noticed and its cause named
	$(BIN)/python benchmarks/drift_null.py --cameras 12
	$(BIN)/python benchmarks/drift_causes.py
	$(BIN)/python benchmarks/drift_weeks.py --jobs 2
	$(BIN)/python benchmarks/drift_check.py

bench: setup-test  ## Measure speed, memory and size
	$(BIN)/python benchmarks/run.py

# torch comes in kinds (CPU, CUDA) that only the user can choose: scripts/setup.sh installs it by its range.
LOCK := uv pip compile -q pyproject.toml --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
WITHOUT_TORCH := --override requirements/without-torch.txt --no-emit-package torch --no-emit-package torchvision

lock:  ## Compile pyproject.toml into requirements/ (needs uv)
	$(LOCK) --extra build --extra dev --extra postgres --extra s3 --extra kubernetes --extra monitor --extra mlflow --extra openvino --extra retrain $(WITHOUT_TORCH) -o requirements/dev.txt
	$(LOCK) --extra build -c requirements/dev.txt -o requirements/serve.txt
	$(LOCK) --extra build --extra postgres --extra s3 --extra kubernetes --extra monitor --extra mlflow -c requirements/dev.txt -o requirements/cluster.txt
	$(LOCK) --extra build --extra retrain -c requirements/dev.txt $(WITHOUT_TORCH) -o requirements/retrain.txt

clean:  ## Remove the environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info .setup.lock
