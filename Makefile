# make demo   build and check the lab images with a real HIP compiler: no GPU, no registry
# make test   everything that must pass
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-tools static unit integration trace bench build clean

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST)

setup:
	@scripts/setup-venv.sh
	@scripts/apt-install.sh mmdebstrap || echo "setup: going on without mmdebstrap: the lab starts from Debian's image of the hub" >&2
	@scripts/setup-engine.sh

demo: setup
	@$(BIN)/rocmimg build --target lab
	@$(BIN)/rocmimg test --target lab

test: setup test-tools static unit integration

# What some tests need; without it they are skipped and say so.
test-tools:
	@scripts/apt-install.sh docker-registry apache2-utils || echo "setup: going on without: tests of the registry are skipped" >&2

static:
	$(BIN)/ruff check builder tests bench scripts
	$(BIN)/ruff format --check --quiet builder tests bench scripts
	$(BIN)/mypy

unit:
	$(PYTEST) -q -n 2 tests/unit

integration:
	$(PYTEST) -q tests/integration

# trace: every production Dockerfile on the real engine, external commands recorded instead of run
trace:
	$(PYTEST) -q tests/integration/trace

# bench: speed, as ratios against a peer in the same run
bench: setup
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

build: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf build dist
