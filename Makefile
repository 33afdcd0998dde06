# mz_ingest: a PostgreSQL extension.  make, make install, make installcheck are
# PGXS's own; make demo and make test do all the set-up they need.

EXTENSION = mz_ingest
MODULE_big = mz_ingest
DATA = $(wildcard sql/mz_ingest--*.sql)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

PG_CONFIG ?= pg_config
PG_CPPFLAGS = -I$(CURDIR)/src -I$(shell $(PG_CONFIG) --includedir)
PG_CFLAGS = -fvisibility=hidden -Wextra -Wshadow -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -L$(shell $(PG_CONFIG) --libdir) -lpq -lcrypto -Wl,--version-script=$(CURDIR)/src/exports.map

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# every object depends on every header: the tree is small
$(OBJS): $(wildcard src/*/*.h)
