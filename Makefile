# The verbs of the project. Works with GNU make 3.81 (macOS) and newer.
.DEFAULT_GOAL := help

BIN    := .venv/bin
# Arguments for the command behind a verb: make demo ARGS=--exit
ARGS   ?=
# A Python 3.11 to 3.14 for .venv; scripts/make-venv looks for one unless given: make install PYTHON=/path/to/python3.12
PYTHON ?=
# How many test processes run side by side: tests wait more than they compute. JOBS=0 leaves it at this one, for a
# debugger.
JOBS   ?=
# A test process that crashed is not replaced: pytest-xdist 3.8 then waits for ever at the end (its issues 1313, 1378).
# Its test counts as failed, and the others run what is left.
PYTEST  = $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder --max-worker-restart 0 --numprocesses

.PHONY: help install demo lint format test test-kafka test-browser chaos bench bench-guard lock

help: ## Say what the verbs do
	@echo "make install | demo | lint | format | test | test-kafka | test-browser | chaos | bench | bench-guard | lock    (ARGS=... is handed on)"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' \
		| while IFS='|' read -r verb what; do printf '%-14s %s\n' "$$verb" "$$what"; done

install: ## Make .venv with the locked packages and this project in it
	@scripts/install "$(PYTHON)"

demo: install ## Show the whole way of sample events on an embedded broker (Ctrl-C ends it; ARGS=--exit)
	@exec $(BIN)/mastery demo $(ARGS)

lint: install ## Check style, types and the released schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mastery schemas check --offline

format: install ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install ## Run every test that needs no real Kafka (the embedded broker stands in) and no browser
	$(PYTEST) $(or $(JOBS),3) -m "not kafka and not registry and not browser" $(ARGS)

test-kafka: install ## Run the tests that need a real Kafka or schema registry (java and mvn)
	$(PYTEST) $(or $(JOBS),2) -m "kafka or registry" --broker kafka $(ARGS)

test-browser: install ## Run the tests of the web view that need a browser (Chromium)
	$(PYTEST) $(or $(JOBS),2) -m browser $(ARGS)

chaos: install ## Run every scenario of faults on real Kafka (half an hour), or one: SCENARIO=name SEED=7 MINUTES=10
	CHAOS_SCENARIO=$(or $(SCENARIO),all) CHAOS_SEED=$(or $(SEED),0) CHAOS_MINUTES=$(or $(MINUTES),0) \
		$(PYTEST) $(or $(JOBS),2) -m scenario --broker kafka -o faulthandler_timeout=0 $(ARGS) tests/chaos

bench: install ## Measure against peers on real Kafka (minutes); FULL=1 for all that docs/performance.md tells
	$(BIN)/python -m bench $(if $(FULL),--full) $(ARGS)
	$(if $(FULL),$(BIN)/python -m bench.report)

bench-guard: install ## Say what is slower than in a commit: BASE=<commit> (three minutes, no Kafka)
	$(BIN)/python -m bench.guard $(ARGS) $(or $(BASE),HEAD)

lock: ## Resolve the dependencies anew and write requirements.lock
	@rm -rf .cache/lock && mkdir -p .cache && scripts/make-venv .cache/lock "$(PYTHON)"
	@.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check --group dev .
	@{ sed -n '/^#/p' requirements.lock; .cache/lock/bin/python -m pip freeze --exclude mastery-stream; } > .cache/requirements.lock
	@mv .cache/requirements.lock requirements.lock && rm -rf .cache/lock
