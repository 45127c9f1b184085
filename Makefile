# Every target fetches what it needs by itself (bootstrap.py); Python 3.11 or later and make are enough to begin with.

PYTHON ?= python3
EVENT ?= events/throttled-anonymous-provisioning.json

# Which of the environments in bootstrap.py a target runs in.
DEV   := .venv/bin
SAM   := .tools/sam/bin/sam
UV    := .tools/uv
# Nothing of the caller's: a token of Prisma Cloud would send the template there, a ~/.checkov.yaml leave checks out.
CHECKOV = env -i PATH="$$PATH" HOME=.tools/checkov CKV_SKIP_PACKAGE_UPDATE_CHECK=1 CKV_PARSE_ERROR_FAIL=true \
	.tools/checkov/bin/checkov
EXPORT = $(UV) export --quiet --frozen --only-group runtime --no-emit-project --no-header --no-annotate

# Each process imports and collects everything, so two for two cores. A file stays in one process, or each of them would
# deploy; and in its order, so that what waits longest begins first.
SPREAD := -n 2 --dist loadfile --no-loadscope-reorder

# Neither the caller's environment nor the caller's uv has a say in what is run or locked here.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME CONDA_PREFIX
unexport UV_INDEX UV_INDEX_URL UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_PROJECT UV_PROJECT_ENVIRONMENT
unexport PYTHONDONTWRITEBYTECODE
export PYTHON
export UV_CONFIG_FILE := $(CURDIR)/uv.toml
export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help setup check format docs test one test-slow demo test-breaks deploy-local invoke bench build deploy lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1	/' | \
		while IFS='	' read -r target text; do printf '  make %-14s %s\n' "$$target" "$$text"; done

setup: ## fetch everything now (the other targets do it as they need it)
	@$(PYTHON) bootstrap.py dev sam checkov audit local bench

check: ## formatting, lint, types, import contracts, template, lock, known vulnerabilities
	@$(PYTHON) bootstrap.py dev sam checkov audit
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy
	PYTHONPATH=src:. $(DEV)/lint-imports
	$(DEV)/cfn-lint --append-rules cfn_lint_serverless.rules --template template.yaml
	$(CHECKOV)
	$(SAM) validate --lint
	$(UV) lock --check --quiet
	$(EXPORT) | diff src/requirements.txt -
	@$(DEV)/python -m artifact.advisories

format: ## bring the code into its form
	@$(PYTHON) bootstrap.py dev
	$(DEV)/ruff format .
	$(DEV)/ruff check --fix .

docs: ## the tables of docs/permissions.md, from the template
	@$(PYTHON) bootstrap.py dev
	@$(DEV)/python -m local.permissions

test: ## all tests, among them a deployment to local AWS (ARGS=… goes to pytest)
	@$(PYTHON) bootstrap.py dev sam local
	$(DEV)/pytest $(SPREAD) -m "not breaks and not slow" $(ARGS)

one: ## one file or test, quickly (T=tests/unit/test_abuse.py or more than one, each with ::name if need be)
	@$(PYTHON) bootstrap.py dev $(if $(findstring tests/deploy,$(T)),sam local)
	@$(DEV)/pytest -p no:xdist $(or $(T),$(error T=tests/… says which file or test to run)) $(ARGS)

test-slow: ## crowds, everything at once, a day on which everything fails, an edit at every moment, pytest in pytest
	@$(PYTHON) bootstrap.py dev checkov sam local
	$(DEV)/pytest $(SPREAD) -m slow $(ARGS)

demo: ## the main job end to end on local AWS (BREAK=no-grant and others break one thing on purpose)
	@$(PYTHON) bootstrap.py dev sam local
	@BREAK="$(BREAK)" $(DEV)/python -m local.demo

test-breaks: ## each of the demo's six breakages must be found out
	@$(PYTHON) bootstrap.py dev sam local
	$(DEV)/pytest -m breaks

deploy-local: ## leave local AWS running with the stack deployed, and print its endpoint
	@$(PYTHON) bootstrap.py dev sam local
	@$(DEV)/python -m local.deploy

invoke: ## send EVENT=events/….json to Intake on local AWS
	@$(PYTHON) bootstrap.py dev local
	@$(DEV)/python -m local.invoke "$(EVENT)"

bench: ## start-up, size and calls against their bounds, into bench.json
	@$(PYTHON) bootstrap.py dev bench
	@$(DEV)/python -m bench

build: ## the artifact, by `sam build`
	@$(PYTHON) bootstrap.py sam
	$(SAM) build

deploy: build ## to the AWS account of your credentials (first time: make deploy ARGS=--guided)
	$(SAM) deploy $(ARGS)

lock: ## newest versions that pyproject.toml allows (ARGS="--upgrade" or "--upgrade-package boto3")
	@$(PYTHON) bootstrap.py uv
	$(UV) lock $(ARGS)
	$(EXPORT) --output-file src/requirements.txt

clean: ## remove everything that was fetched or made
	rm -rf .venv .tools .aws-sam .local demo.json bench.json .coverage htmlcov
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
