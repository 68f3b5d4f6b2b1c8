# demo · test · check · explore · campaign · bench · bundle · deploy-check. Each makes what it needs; nothing else has to be typed before.

PYTHON ?= python3
BIN := .venv/bin

# `SECONDS` counts only when given to make itself: shells have a variable of that name.
ifneq ($(filter command line,$(origin SECONDS)),)
DEMO_SECONDS := --seconds $(SECONDS)
endif
ifneq ($(filter command line environment,$(origin BROKER)),)
DEMO_BROKER := --broker $(BROKER)
endif

.PHONY: demo test check explore campaign bench bundle deploy-check peers clean

demo: .venv/.demo
	$(BIN)/edge-agent demo $(DEMO_SECONDS) $(DEMO_BROKER)

test: peers check

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Properties with examples that no run has seen, until one fails; ROUNDS=n for so many times.
explore: .venv/.dev
	for round in $$(seq $(or $(ROUNDS),10)); do \
	  $(BIN)/python -m pytest -n 3 --dist loadfile -q -m 'not peer' -k 'not bench' \
	    --hypothesis-profile=explore $$(grep -rl '@given' tests) || exit 1; \
	done

# Everything that may fail north of the machines and on the gateway, for hours: what arrives against what was given.
# CAMPAIGN_ROUNDS=n for so many rounds of about half an hour, CAMPAIGN_SEED=n for the faults of that seed.
campaign: .venv/.dev peers
	CAMPAIGN_ROUNDS=$(or $(CAMPAIGN_ROUNDS),1) $(BIN)/python -m pytest tests/campaign -s

bench: .venv/.dev peers
	$(BIN)/python -m pytest tests/bench --benchmark-only --benchmark-disable-gc --timeout=1800 -o addopts="--import-mode=importlib -s"

# Everything a gateway without network needs, as dist/edge-agent-VERSION-linux-ARCH.tar.gz; ARCH=aarch64 for arm64,
# PYTHONS="3.11" for fewer Python versions.
bundle: .venv/.dev
	$(BIN)/python deploy/bundle.py --arch $(or $(ARCH),$(shell uname -m)) $(if $(PYTHONS),--pythons $(PYTHONS))

# The long tests of deploy/, for half an hour: image, compose, bundle on a bare Debian, arm64, service manager. As root on
# Debian; deploy/README.md says what else it needs.
deploy-check: .venv/.dev
	sh tests/deploy/install.sh
	$(BIN)/python -m pytest tests/deploy -m 'deploy or not deploy' --timeout=3600 -s

peers:
	sh tests/peers/install.sh

.venv/bin/python:
	$(PYTHON) -m venv .venv || { echo "python3-venv is missing; as root: apt-get install python3-venv"; exit 1; }

.venv/.demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/.demo

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks dist data
