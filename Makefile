# `make demo` and `make test` do all the set-up themselves: Python 3.10 or newer and make are enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TRAINS := $(VENV)/.trains
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install demo test check format docs bench fuzz endurance kills latency clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

define install  # $(1): the extras of the package
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "UltraSam needs Python 3.10 or newer; set PYTHON=python3.11 or the like")'
test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
$(PIP) install --constraint constraints.txt torch torchvision
$(PIP) install --constraint constraints.txt --editable '.[$(1)]'
@# imaug, which OpenMMLab asks for, brings two packages of OpenCV that overwrite each other's files.
$(PIP) uninstall --yes opencv-python-headless opencv-python
$(PIP) install --constraint constraints.txt --no-deps opencv-python
endef

$(STAMP): pyproject.toml constraints.txt
	$(call install,dev)
	touch $(TRAINS) $@

# All that training and testing need: half the packages.
$(TRAINS): pyproject.toml constraints.txt
	$(call install,mm)
	touch $@

install: $(STAMP)  ## make .venv and install everything (seconds when nothing changed)

demo: $(TRAINS)  ## simulate ultrasound, train a small UltraSam, score it, draw masks
	$(BIN)/ultrasam demo

check: $(STAMP)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: $(STAMP)  ## lint, types and all tests
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n 2

format: $(STAMP)  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## build the site into site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: $(STAMP)  ## run the benchmarks beside their peers
	$(BIN)/ultrasam bench

fuzz: $(STAMP)  ## 9,300 damaged files through all readers (15 min)
	$(BIN)/python -m tests.long.fuzz

latency: $(STAMP)  ## the annotator's page in a real Chromium: click to mask, next image, page (1 min)
	$(BIN)/python -m tests.long.annotate_latency

endurance: $(STAMP)  ## one predictor for 10,000 images, 10,000 prompts and 8 threads (25 min)
	$(BIN)/python -m tests.long.endurance

kills: $(STAMP)  ## kill commands at random moments and compare what they end with (half an hour)
	$(BIN)/python -m tests.long.kills

clean:  ## remove the environment and everything made
	rm -rf $(VENV) work_dirs demo site build *.egg-info .mypy_cache .ruff_cache .pytest_cache
