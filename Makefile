# amrg: `make report` runs the main job, `make test` all checks. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= out
SEED ?= 1000001

.PHONY: setup report test lint model model-card clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
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

clean:
	rm -rf $(VENV) $(OUT)
