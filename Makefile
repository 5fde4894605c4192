# make demo   build and check the lab images with a real HIP compiler: no GPU, no registry
# make test   everything that must pass
.DEFAULT_GOAL := help
.PHONY: help setup venv demo test test-engines test-packages test-tools test-newest test-lowest lock-tools static workflows docs unit integration trace corpus bench build clean parity real pictures ten-minutes

# Images for CI often set it: each process would then compile this project's modules, and pytest its tests, again.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
comma := ,
PYTEST := $(BIN)/python -m pytest
LOCK = mkdir -p build && $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock-tools' --extra html --group dev pyproject.toml

help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST)

venv:
	@scripts/setup-venv.sh

setup: venv
	@scripts/apt-install.sh mmdebstrap || echo "setup: going on without mmdebstrap: the lab starts from Debian's image of the hub" >&2
	@scripts/setup-engine.sh

demo: setup
	@$(BIN)/rocmimg build -f examples/lab/images.yaml lab
	@$(BIN)/rocmimg test -f examples/lab/images.yaml lab

test: setup test-tools static workflows docs unit integration

# What some tests need; without it they are skipped and say so.
test-tools:
	@scripts/apt-install.sh docker-registry apache2-utils || echo "setup: going on without: tests of the registry are skipped" >&2

static: venv
	$(BIN)/ruff check builder tests bench scripts
	$(BIN)/ruff format --check --quiet builder tests bench scripts
	$(BIN)/mypy

# workflows: this project's own CI, by zizmor, and by actionlint where it is on PATH
workflows: venv
	$(BIN)/zizmor --offline --quiet .github
	@if command -v actionlint >/dev/null; then actionlint; else echo "not run: actionlint is not on PATH"; fi

# docs: the documentation as a site in build/site
docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

unit: venv
	$(PYTEST) -q -n 2 tests/unit

integration:
	$(PYTEST) -q tests/integration

# test-engines: the engine room and the whole way of a release on each engine, or on ENGINES=docker28,podman4 (root)
ENGINES ?= docker20,docker28,docker28-containerd,podman4,podman5
test-engines: venv test-tools
	@scripts/apt-install.sh mmdebstrap debian-archive-keyring || echo "test-engines: no engine can be unpacked: they are skipped" >&2
	@for engine in $(subst $(comma), ,$(ENGINES)); do echo "== $$engine"; \
	  ROCMIMG_TEST_ENGINES=$$engine $(PYTEST) -q -rs tests/integration/engine || failed="$$failed $$engine"; done; \
	  [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# trace: every production Dockerfile on the real engine, external commands recorded instead of run
trace:
	$(PYTEST) -q tests/integration/trace

# parity: upstream's Dockerfile over the trace's stub base, against a cell: make parity FILE=... CELL=... ARGS="A=1 B=2"
parity:
	cd tests/integration/trace && $(CURDIR)/$(BIN)/python -m tracing.parity $(abspath $(FILE)) $(CELL) $(ARGS)

# lock-tools: renew scripts/requirements.lock, which says what setup installs
lock-tools: venv
	$(LOCK) --upgrade --output-file scripts/requirements.lock

# test-newest, test-lowest: the unit suite with the newest and with the lowest versions that pyproject.toml allows
test-newest test-lowest: test-%: venv
	$(LOCK) --upgrade --resolution $(if $(filter lowest,$*),lowest-direct,highest) --output-file build/$*.lock
	VENV=build/venv-$* LOCK=build/$*.lock scripts/setup-venv.sh
	build/venv-$*/bin/python -m pytest -q -n 2 tests/unit

# test-packages: real ROCm packages of the index in images, what is said of them compared with other tools (0.8 GB)
test-packages:
	ROCMIMG_TEST_PACKAGES=$(or $(ROCMIMG_TEST_PACKAGES),1) $(PYTEST) -q tests/integration/checks/test_packages.py

# corpus: lint a folder of foreign Dockerfiles; counts per rule and a sample to judge: make corpus FOLDER=path
corpus:
	@$(BIN)/python scripts/lint_corpus.py "$(FOLDER)"

# pictures: renew those of the README from a run of the lab
pictures: setup
	@scripts/apt-install.sh chromium
	@$(BIN)/rocmimg build -f examples/lab/images.yaml lab
	@$(BIN)/python scripts/pictures.py

# real MIRRORS=folder: each component from a mirror of its real sources (OWNER/NAME.git), on Debian's ROCm; see docs/real.md
real: setup
	@$(BIN)/rocmimg build --file examples/lab/images.yaml --target lab-base
	@$(BIN)/rocmimg build --file tests/real/images.yaml --no-contract
	@$(BIN)/python tests/real/run.py $(MIRRORS) $(REAL)

# ten-minutes: docs/ten-minutes.md, with the wheel alone, to a registry on loopback and back
ten-minutes: setup test-tools
	ROCMIMG_TEN_MINUTES=1 $(PYTEST) -q tests/integration/package/test_ten_minutes.py

# bench: speed, as ratios against a peer in the same run; a part that misses something says so and the others go on
bench: setup
	@failed=; for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || failed="$$failed $$script"; done; \
	if [ -n "$$failed" ]; then echo "bench: over a limit, or failed:$$failed" >&2; exit 1; fi

build: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf build dist
