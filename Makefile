# Everything a developer runs is one target; CI calls only these.
# On a fresh machine: `make demo`, then `make test`. They need git, make and Python 3.11 or newer.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
COMPILE := uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q -p 3.11
NODE := @stoplight/prism-cli@5.16.0 resend-local@0.0.7 mjml@5.4.1

.PHONY: help demo demo-kill test soak check format docs golden wheel bench node requirements clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: .venv/run.stamp ## Build, check and send the sample issue to 1,000 generated people, through the outbox
	@$(BIN)/python docs/demo.py

demo-kill: .venv/run.stamp ## The same with 50,000 people, killing the send twice and running it again
	@$(BIN)/python docs/demo.py --people 50000 --kills 2

test: .venv/dev.stamp ## Run every test; what was skipped, and why, is printed last
	$(BIN)/python -m pytest -rs -n auto --dist worksteal

soak: .venv/dev.stamp ## Kill, fail and race sends at length (an hour), and write what came of it into docs/guarantees.md
	NEWSLETTER_TEST_SIZE=soak $(BIN)/python -m pytest -rs -n auto --dist worksteal tests/delivery/test_harness_*.py
	PYTHONPATH=tests $(BIN)/python -m delivery.harness.page

check: .venv/dev.stamp ## Formatting, lint, types, and the walls between the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev.stamp ## Format the code
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

docs: .venv/dev.stamp ## Write the documentation that comes from the code
	$(BIN)/python docs/generate.py

golden: .venv/dev.stamp ## Write anew what each block and the specimen look like; look at the difference before you keep it
	PYTHONPATH=tests $(BIN)/python tests/render/golden.py

wheel: .venv/dev.stamp ## Build the wheel, install it into a clean environment, and use it there
	.ci/wheel

bench: .venv/dev.stamp ## Print the figures, each a ratio taken in one run
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/import_people.py
	$(BIN)/python benchmarks/send.py
	$(BIN)/python benchmarks/pace.py
	$(BIN)/python benchmarks/status.py
	$(BIN)/python benchmarks/render.py

node: ## Install what some tests stand on, written by others: mail APIs and the official MJML engine (needs npm)
	npm install --prefix build/node --no-save --no-audit --no-fund --ignore-scripts --loglevel error $(NODE)

requirements: ## Pin what is installed, with hashes (needs uv)
	$(COMPILE) --extra dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) --extra editable -c requirements/dev.txt pyproject.toml -o requirements/run.txt

clean: ## Remove what was built
	rm -rf build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/run.stamp: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "newsletter needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@echo "Setting up .venv with the run-time requirements ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q newsletter
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/run.stamp
	@echo "Adding the development requirements ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
