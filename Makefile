# Start with `make demo` and `make check`; `make help` lists all targets.

# Any Python 3.9 or later that starts; the pyenv shim of a missing version does not start.
PYTHON ?= $(shell IFS=:; for d in $$PATH; do for p in "$$d/python3" "$$d/python"; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && echo "$$p" && exit; done; done)

.DEFAULT_GOAL := help

# Bytecode halves the start of every command here; it lands in __pycache__, which git ignores.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo run send status change up check test ordeal prove mutate bench reference sbom lint validate contract \
	release-contract format build lock clean tools lint-code lint-rest units \
	build-ExporterLayer build-PlannerFunction build-WorkerFunction

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# `send` reads its arguments from here: a shell would take the quotes out of JSON.
export ARGS

demo: tools ## Export 5,000 simulated entries, twice, and sweep; writes demo-report.json
	@.venv/bin/python -m local demo $(ARGS)

run: tools ## Export once on this machine: make run ARGS="--help"
	@.venv/bin/python -m local run $(ARGS)

send: tools ## Send a command to the stack that is up: make send ARGS='{"command": "status"}'
	@.venv/bin/python -m local send --typed "$$ARGS"

status: tools ## Show how far the stack that is up is: make status, or make status ARGS=--html
	@.venv/bin/python -m local status $(ARGS)

change: tools ## Change entries in the simulator of the stack that is up: make change ARGS="edit --count 3"
	@.venv/bin/python -m local change $(ARGS)

up: tools ## Bring the stack up on this machine until Ctrl-C: make up ARGS="--help"
	@.venv/bin/python -m local up $(ARGS)

check: tools ## Check code and unit tests, in under a minute: the inner loop
	@$(MAKE) --no-print-directory --jobs 3 lint-code lint-rest units

units: tools
	.venv/bin/pytest $(PARALLEL) tests/unit $(wildcard tests/test_*.py)

test: tools ## Run all checks and all tests; make test ARGS="-k …" passes arguments to pytest
	@$(MAKE) --no-print-directory --jobs 3 lint-code lint-rest validate
	.venv/bin/pytest $(PARALLEL) $(ARGS)

PARALLEL := --numprocesses 3 --dist loadfile --no-loadscope-reorder

ordeal: tools ## Kill and freeze real processes during an export, longer than the tests do
	CPD_ORDEAL_STRIKES=$(or $(STRIKES),40) .venv/bin/pytest tests/e2e/test_crashes.py

prove: tools ## Simulate failures and races for some forty minutes; writes docs/proof.md
	@.venv/bin/python -m tests.simulation.prove $(ARGS)

mutate: tools ## Let the tests kill 300 automatic mutants of the core, in some twenty minutes
	@.venv/bin/python -m tests.mutation $(ARGS)

bench: tools ## Measure what the exporter costs, beside other tools; writes bench-report.json
	@.venv/bin/python -m tests.benchmark $(ARGS)

reference: tools ## Write docs/reference.md anew, from the commands and the template
	.venv/bin/python -m tools.reference

sbom: tools ## Write sbom.json: the deployed packages, as CycloneDX
	.tools/audit/bin/cyclonedx-py requirements --output-reproducible -o sbom.json \
		layers/exporter/requirements.txt

lint: lint-code lint-rest ## Check style, types, imports, the template, the contract and known vulnerabilities

lint-code: tools
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy .
	.venv/bin/lint-imports

lint-rest: tools
	.venv/bin/python -m tools.rules
	.venv/bin/python -m tools.standards
	.venv/bin/python -m tools.audit

validate: tools ## Let SAM check the template
	SAM_CLI_TELEMETRY=0 .tools/sam/bin/sam validate --lint --region us-east-1

contract: tools ## Write the events' schemas and samples from the code, and the example's models
	PYTHONPATH=layers/exporter .venv/bin/python -m tools.contract
	.venv/bin/python -m tools.models

release-contract: tools # Keep the schemas as the released contract, which later ones must not break
	PYTHONPATH=layers/exporter .venv/bin/python -m tools.contract --release

format: tools ## Format the code
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

build: tools ## Build for AWS: then sam deploy --config-env dev, staging or prod
	.tools/sam/bin/sam build $(ARGS)

# `sam build` calls these, in a copy of the folder that it builds.
HERE := $(dir $(realpath $(lastword $(MAKEFILE_LIST))))
build-ExporterLayer:
	cd "$(HERE)" && "$(PYTHON)" -m tools.layer "$(ARTIFACTS_DIR)"
build-PlannerFunction build-WorkerFunction:
	cp app.py "$(ARTIFACTS_DIR)"

COMPILE := .tools/uv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header
lock: tools ## Renew the lock files from the .in files
	$(COMPILE) --python-version 3.13 layers/exporter/requirements.in \
		-o layers/exporter/requirements.txt
	$(COMPILE) --python-version 3.13 requirements/dev.in \
		-c layers/exporter/requirements.txt -o requirements/dev.txt
	$(COMPILE) --python-version 3.9 requirements/uv.in -o requirements/uv.txt
	$(COMPILE) --python-version 3.13 examples/subscriber/subscriber/requirements.in \
		-c requirements/dev.txt -o examples/subscriber/subscriber/requirements.txt
	for name in python ministack sam checkov audit lake datacontract node bench-loops bench-dlt bench-singer; do \
		$(COMPILE) --python-version 3.13 requirements/$$name.in \
			-o requirements/$$name.txt || exit; \
	done
	$(COMPILE) --no-deps --python-version 3.13 requirements/cfnguard.in \
		-o requirements/cfnguard.txt
	cd requirements/npm && ../../.tools/node/bin/npm update --save --package-lock-only --ignore-scripts \
		--omit-lockfile-registry-resolved

clean: ## Remove everything that make makes
	rm -rf .venv .tools .local .aws-sam lake-copy demo-lake .lake-copy.part .demo-lake.part demo-report.json \
		bench-report.json status.html sbom.json

tools: ## Install the tools into .venv and .tools; all targets that need them do this first
	@test -n "$(PYTHON)" || { echo "No Python 3.9 or later starts on this machine; name one: make PYTHON=…" >&2; exit 1; }
	@"$(PYTHON)" tools/install.py
