# make demo   build and check the lab images with a real HIP compiler: no GPU, no registry
# make test   everything that must pass
.DEFAULT_GOAL := help
.PHONY: help setup demo test static unit integration trace bench build clean

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

test: setup static unit integration

static:
	$(BIN)/ruff check builder tests bench
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
	$(BIN)/python -m build

clean:
	rm -rf build dist
