# make demo   see Dragoman work, without an account
# make test   run every test
#
# Both install what is missing first (see .ci/setup). `make` alone lists the rest.

.DEFAULT_GOAL := help
.PHONY: help demo test run build bundle setup setup-tests lint api bench fuzz audit clean
SHELL := /bin/bash

# cargo is found also where the shell has not read ~/.cargo/env yet.
CARGO := . .ci/lib.sh && cargo

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## a conversation with a tool round through Dragoman and its demo backend; no account needed
	@.ci/demo

test: ## every test; ends with one line: N passed, N failed
	@.ci/test

run: ## start the desktop app, or the headless proxy where there is no display
	@.ci/start

build: setup ## build everything
	@$(CARGO) build --workspace --locked

bundle: ## a .deb and an .rpm with tray and command line program, in target/bundles
	@.ci/setup bundle
	@.ci/bundle

setup: ## install what a build needs
	@.ci/setup build

setup-tests: ## install what the tests need
	@.ci/setup test

lint: setup ## formatting and clippy
	@$(CARGO) fmt --all --check
	@$(CARGO) lint

api: setup ## write ui/api.d.ts anew from the types of the admin API
	@export UPDATE=1; $(CARGO) test --workspace --locked --lib the_pages_types_are_those_of_the_code

bench: ## figures of the desktop program and their targets: menu, paint, memory (ROWS="menu" for one of them)
	@.ci/setup test
	@.ci/bench $(ROWS)

fuzz: ## many properties with another seed, then each fuzz target for a minute with cargo-fuzz, where it is installed
	@.ci/fuzz

audit: ## bans, licences, sources and advisories with cargo-deny, where it is installed
	@.ci/audit

clean: ## remove everything that was built or installed under target/
	@$(CARGO) clean
	@rm -rf target
