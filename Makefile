# The short commands; CMake presets do the work (see CMakePresets.json).
# Everything that is built lies in build/.

SHELL := /bin/sh
PREFIX ?= /usr/local
SECONDS ?= 60
SEEDS ?= 10
ONLY ?=

help: ## this list
	@sed -n 's/^\([a-z]*\): .*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '  make %-8s %s\n' "$$name" "$$text"; done

demo: release ## install what is missing, build, and show the main job step by step
	@build/release/bin/cella demo

test: ## install what is missing, build, and run every test
	@scripts/install-packages build test
	@scripts/test

build: ## install what is missing and build for developers (build/dev)
	@scripts/install-packages build test
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev

release: ## install what is missing and build for users (build/release)
	@scripts/install-packages build
	@cmake --preset release >/dev/null
	@cmake --build --preset release -- --quiet

bench: ## print the figures and write build/bench.json; ONLY=name runs one
	@scripts/install-packages build peers
	@scripts/bench $(ONLY)

asan: ## run the unit tests of the host side under sanitizers
	@scripts/install-packages build test
	@scripts/test asan

torture: ## torture a vault on a disk that fails, for SEEDS=10 workloads
	@scripts/install-packages build test
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev --target torture
	@build/dev/bin/torture --seeds $(SEEDS) --pairs 2500

fuzz: ## fuzz every target for SECONDS=60; ONLY=name runs one
	@scripts/install-packages build test
	@scripts/test fuzz $(SECONDS) $(ONLY)

lint: ## check formatting and style, and run clang-tidy
	@scripts/install-packages build test lint
	@scripts/lint

docs: ## write the parts of docs/ and man/ that are made from the source
	@scripts/install-packages build test
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev --target cella-docs

install: release ## install the release build under PREFIX=/usr/local (DESTDIR is respected)
	@cmake --install build/release --prefix $(PREFIX)

clean: ## remove build/
	rm -rf build

.DEFAULT_GOAL := help
.PHONY: help demo test build release bench asan torture fuzz lint docs install clean
