# amrg: `make report` runs the main job, `make test` all checks. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= out
SEED ?= 1000004
EXAMPLE := runs/example
# A machine with a GPU brings its own: make setup TORCH=torch==2.13.0+cu130
TORCH ?= $(shell grep "^torch==" requirements.lock)

.PHONY: setup report test lint model model-card parser-figures bench-scoring blind-dmid example clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "amrg needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": name another, as in make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV) || { echo "no venv in $(PYTHON): on Debian, apt-get install python3-venv" >&2; exit 1; }
	grep -v "^torch==" requirements.lock > $(VENV)/others.txt
	$(BIN)/python -m pip install --quiet "$(TORCH)" --requirement $(VENV)/others.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

ifdef STUDY
report: $(READY)
	$(BIN)/amrg report "$(STUDY)" --out $(OUT)/report
else
report: $(READY)
	$(BIN)/amrg phantom --count 1 --seed $(SEED) $(OUT)/phantom
	$(BIN)/amrg report $(OUT)/phantom --truth $(OUT)/phantom/cases.jsonl --out $(OUT)/report
endif

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest

# Hours on two cores less an accelerator; killed and started again, it goes on where it was.
model: $(READY)
	$(BIN)/python -m amrg.training.build runs/embedded

model-card: $(READY)
	$(BIN)/python -m amrg.generation.evaluation

parser-figures: $(READY)
	PYTHONPATH=tests $(BIN)/python -m birads.dmid

bench-scoring: $(READY)
	$(BIN)/python scripts/bench_scoring.py

blind-dmid: $(READY)
	PYTHONPATH=tests $(BIN)/python -m datasets.blind_dmid

# The run that docs/example shows: the embedded model on phantoms, baselines that learned from others beside it.
example: $(READY)
	$(BIN)/amrg phantom --count 300 --seed 40000 --size small --workers 2 $(EXAMPLE)/drawn-train
	$(BIN)/amrg phantom --count 200 --seed 1020001 --size small --workers 2 $(EXAMPLE)/drawn-test
	$(BIN)/amrg data import phantom $(EXAMPLE)/drawn-train --out $(EXAMPLE)/train
	$(BIN)/amrg data import phantom $(EXAMPLE)/drawn-test --out $(EXAMPLE)/test
	test -f $(EXAMPLE)/test/splits/all-test.json || $(BIN)/amrg data split $(EXAMPLE)/test all-test
	$(BIN)/amrg benchmark run --data $(EXAMPLE)/test --split all-test --train-data $(EXAMPLE)/train --out $(EXAMPLE)/run
	cp $(EXAMPLE)/run/report.html $(EXAMPLE)/run/manifest.json docs/example
	$(BIN)/amrg benchmark table $(EXAMPLE)/run > docs/example/table.md

clean:
	rm -rf $(VENV) $(OUT)
