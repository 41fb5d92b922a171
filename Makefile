# What people and .ci/run do with the repository; `make` alone lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV ?= .venv
# Where there is no $(VENV), the environment that is active will do. Asked when a task runs, as
# `make setup lint` makes it on the way.
BIN = $(shell [ ! -x $(VENV)/bin/python ] || echo $(VENV)/bin/)
export XAIBENCH_DATA ?= $(if $(wildcard ../shared/data),$(abspath ../shared/data))
BROWSERS := chromium chromium-browser google-chrome

.PHONY: help setup lint type test slow full docs reference hooks smoke boards browser versions
.DEFAULT_GOAL := help

help:  ## list what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 14

setup:  ## a virtual environment with all that the other targets need
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -e '.[dev]'

lint:  ## ruff: rules and format
	$(BIN)ruff check .
	$(BIN)ruff format --check .

type:  ## mypy, strict
	$(BIN)mypy

test:  ## the very line of the README that sets up and tests
	line=$$(grep -m1 -- '-m pytest$$' README.md); \
	line=$${line//.venv/$(VENV)}; \
	eval "$${line/#python3/$(PYTHON)}"

slow:  ## the tests that `make test` leaves out
	$(BIN)python -m pytest -m slow

full:  ## every suite's quick profile and every large network (by hand before a release; an hour)
	$(BIN)python -m pytest -m full

reference:  ## are the generated pages of docs/ fresh?
	$(BIN)python docs/generator --check

docs: reference  ## the documentation into site/, strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)python -m mkdocs build --quiet

hooks:  ## what is before each commit: lint, type, reference
	$(BIN)pre-commit run --all-files

smoke:  ## a short main job, and what it must leave
	rm -rf results/smoke
	if [ -d "$$XAIBENCH_DATA/Dataset_BUSI_with_GT" ]; then \
	  weights="$$XAIBENCH_DATA/../weights/mobilenet_v3_small_cxr.pth"; \
	  [ -f "$$weights" ] || weights=none; \
	  $(BIN)xaibench run --dataset busi --methods gradcam,spn --limit 60 --epochs 2 \
	    --image-size 96 --weights "$$weights" --out results/smoke \
	    --models 'mobilenet_v3_small,saliency_net[backbone=mobilenet_v3_small,loss=dice]'; \
	else \
	  $(BIN)xaibench run --dataset 'phantom[images=60]' --epochs 2 --out results/smoke; \
	fi
	for file in report.html leaderboard.md grid.png; do test -s results/smoke/$$file; done

boards:  ## the published results as a static site, in build/boards
	$(BIN)xaibench site results/published --out build/boards

browser:  ## a Chromium for the tests of the page, from apt where there is none
	if [ -n "$${XAIBENCH_BROWSER:-}" ] || command -v $(BROWSERS) > /dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  apt-get update --quiet=2 && apt-get install --yes --quiet=2 chromium; \
	else \
	  echo "no Chromium: install one, or name it in XAIBENCH_BROWSER" >&2; exit 1; \
	fi

versions:  ## the core tests with the oldest releases allowed, and with Python 3.13 (by hand; slow)
	PYTHON=$(PYTHON) .ci/versions
