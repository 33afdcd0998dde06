# mz_ingest: a PostgreSQL extension.
#
#   make demo           the main job on two throw-away servers
#   make test           lint, unit tests, pg_regress, TAP
# These two, and the targets below them, do all their set-up themselves: they
# install missing packages, build, and run servers as an unprivileged user.
#
#   make, make install, make installcheck    as in every PGXS extension

EXTENSION = mz_ingest
MODULE_big = mz_ingest
DATA = $(wildcard sql/mz_ingest--*.sql)
# what flex and bison write; a folder of its own, so that nothing takes it for source
GENERATED = src/ddl/build/gram.c src/ddl/build/scan.c
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)) $(GENERATED))
REGRESS = $(sort $(patsubst sql/%.sql,%,$(wildcard sql/[0-9][0-9][0-9]_*.sql)))
EXTRA_CLEAN = src/ddl/build test/unit/build test/fuzz/build

PG_CONFIG ?= pg_config
.DEFAULT_GOAL = all

# ---- targets that need nothing but make --------------------------------------

SELF_CONTAINED = demo test test-matrix soak fuzz lint indent setup

demo: ## the main job, shown; SCALE=n, KEEP=1
	@test/setup/packages
	@test/run demo

test: ## everything; closing lines are those of the test tools
	@test/setup/packages
	@test/run lint unit regress tap

test-matrix: ## every kind of change from other upstream versions; VERSIONS="11 14 18", TESTS=FILE
	@test/setup/packages
	@test/setup/packages matrix || echo 'without npm only servers fetched before can be tested'
	@test/run matrix

soak: ## the kill tests in their long form; MZI_KILLS=n
	@test/setup/packages
	@test/run soak

fuzz: ## the decoder and the grammar under fuzzers; FUZZ_SECONDS=n each
	@test/setup/packages fuzz
	@test/run fuzz

lint: ## the checks of test/lint alone
	@test/setup/packages
	@test/run lint

indent: ## format src/ with pg_bsd_indent
	@test/setup/packages
	@test/run indent

setup: ## install the packages that the build and the tests need
	@test/setup/packages

.PHONY: $(SELF_CONTAINED)
export PG_CONFIG

# ---- PGXS --------------------------------------------------------------------

ifneq ($(filter-out $(SELF_CONTAINED),$(or $(MAKECMDGOALS),all)),)

PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error the server's development files were not found: install postgresql-server-dev-NN (NN: 15 to 18), run "make setup", or give PG_CONFIG=/path/to/pg_config)
endif

PG_CPPFLAGS = -I$(CURDIR)/src -I$(shell $(PG_CONFIG) --includedir)
PG_CFLAGS = -Wextra -Wshadow -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
# exports.map keeps all but the entry points local
SHLIB_LINK = -L$(shell $(PG_CONFIG) --libdir) -lpq -lssl -lcrypto -Wl,--version-script=$(CURDIR)/src/exports.map

# Nothing here runs inside queries often enough for JIT inlining to matter, and
# bitcode would ask every builder for the clang that the server was built with.
override with_llvm = no

# The tests need a library that was loaded at server start, and WAL for
# logical decoding: without them there is nothing to check.
ifneq ($(filter installcheck,$(MAKECMDGOALS)),)
REFUSAL := $(shell PG_CONFIG='$(PG_CONFIG)' test/setup/server-refusal)
ifneq ($(REFUSAL),)
NO_INSTALLCHECK = 1
installcheck:
	@echo 'installcheck skipped: $(REFUSAL)'
endif
endif

include $(PGXS)

# every object depends on every header: the tree is small
$(OBJS): $(wildcard src/*/*.h) src/ddl/build/gram.h

# the server's own variables for these may be empty; a failure leaves no file
MZI_FLEX ?= flex
MZI_BISON ?= bison
.DELETE_ON_ERROR:
src/ddl/build/gram.c: src/ddl/gram.y
	@mkdir -p $(@D)
	$(MZI_BISON) -Wall -Werror --defines=src/ddl/build/gram.h --output=$@ $<
src/ddl/build/gram.h: src/ddl/build/gram.c ;
src/ddl/build/scan.c: src/ddl/scan.l
	@mkdir -p $(@D)
	$(MZI_FLEX) --outfile=$@ $<
$(shlib): src/exports.map

endif
