# Two commands do everything on a machine with Python 3.11+, git and make: `make run` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
UV := .uv/bin/uv
RUN := $(UV) run --locked --all-extras --no-sync
ARGS ?=
SBOM ?= sbom.cdx.json
WORKERS ?= auto
SPREAD := -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: run test nightly test-real test-console faults faults-real components check pages sbom audit bench install clean

run: install  ## the whole stack on a synthetic bank; ARGS="--exit --json" leaves after the summary
	@$(RUN) tierfold demo $(ARGS)

test: install  ## everything but the bank-sized fault tests; in parallel, in memory where there is room
	tests/in_memory.sh $(RUN) pytest -m "not faults and not real and not browser" $(SPREAD) $(ARGS)

nightly: install  ## the same with all examples, seeds and sizes
	TIERFOLD_TEST_THOROUGH=1 tests/in_memory.sh $(RUN) pytest -m "not faults and not real and not browser" $(SPREAD) $(ARGS)

test-real: install components  ## on Apache Kafka, PostgreSQL and Redis; what is missing fails
	$(RUN) pytest -m real -n $(WORKERS) --dist loadfile $(ARGS)

test-console: install  ## the console in Chromium, as people use it; what is missing fails
	@deploy/components/browser.sh
	@$(UV) sync --locked --all-extras --inexact --quiet --group browser
	$(RUN) pytest -m browser $(ARGS)

components:  ## the programs of these three, from Debian's packages where they are missing
	@deploy/components/install.sh

faults: install  ## kill -9 of every process while a bank is fed
	$(RUN) pytest -m faults $(ARGS)

faults-real: install components  ## a hundred kills of anything while 300,000 events are fed
	TIERFOLD_TEST_KILLS=100 TIERFOLD_TEST_EVENTS=300000 $(RUN) pytest -s tests/real/test_kills.py $(ARGS)

check: install  ## format, lint, types, boundaries
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports
	@$(RUN) python -m deploy.pages.references sentences

pages: install  ## makes the references and the map anew from the code
	@$(RUN) python -m deploy.pages.references

sbom: $(UV)  ## the software bill of materials of what ships, CycloneDX, from the lock: sbom.cdx.json
	@$(UV) export --locked --quiet --no-dev --all-extras --preview-features sbom-export --format cyclonedx1.5 --output-file $(SBOM)

audit: $(UV)  ## known vulnerabilities of what is locked; asks osv.dev, or the service in ARGS
	@$(UV) audit --locked --no-dev $(ARGS)

bench: install components .peers/.installed  ## measures everything beside its ceilings and peers, more than half an hour; writes bench.json and bench.svg
	@$(RUN) python -m deploy.bench $(ARGS)

install: .venv/.installed

.venv/.installed: $(UV) uv.lock pyproject.toml
	@$(UV) sync --locked --all-extras --quiet
	@touch $@

$(UV): deploy/uv.txt
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r deploy/uv.txt
	@touch $@

.peers/.installed: deploy/bench/peers/requirements.txt
	@$(PYTHON) -m venv .peers
	@.peers/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

clean:
	rm -rf .uv .venv .peers .components .tierfold
