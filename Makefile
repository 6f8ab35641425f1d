# SPDX-License-Identifier: MIT
# The front door. Results go to build/, SwiftPM's own files to .build/.
#
#   make          libworkpool.so and wpool        make test     every suite; minutes
#   make run      process the bundled sample      make check    what CI runs: lint and test
#   make lib      libworkpool.so alone            make install  PREFIX=/usr/local DESTDIR=
#   make bench    engines of this machine, side by side
#   make stress   100,000 random pipelines with a watchdog; larger models
#   make fuzz     libFuzzer on decoders, splitters, parsers, steps: 10 minutes each
#   make test-c   one suite: see SUITES
#   make CODECS=zlib   without libdeflate, ISA-L and PCRE2, which are in where they are found
#   make python   a wheel that carries the library

SWIFT ?= swift
PREFIX ?= /usr/local
PYTHON ?= python3

VERSION := $(shell sed -n 's/^\#define WP_VERSION_[MP][A-Z]* \([0-9]*\)$$/\1/p' include/workpool.h | paste -sd.)
LIB := build/lib/libworkpool.so
TOOL := build/bin/wpool
# What the library and the tool are made of.
SOURCES := Package.swift $(shell find Sources \( -path Sources/Python -o -path Sources/CMake \
  -o -name '*.md' \) -prune -o -print) include/workpool.h include/module.modulemap

# zlib, zstd and Nettle (SHA-256) are in every build. Faster codecs and regular expressions are traits of the package: those that pkg-config finds
# after set-up, or those named (`CODECS='libdeflate libisal'`, `CODECS=zlib` for none).
OPTIONAL_CODECS := libdeflate libisal libpcre2-8
CODECS ?= $(shell for codec in $(OPTIONAL_CODECS); do pkg-config --exists $$codec && echo $$codec; done)
FOUND_CODECS = $(filter $(OPTIONAL_CODECS),$(CODECS))
traits = $(subst $() ,$(comma),$(patsubst libdeflate,Libdeflate,$(patsubst libisal,ISAL,$(patsubst libpcre2-8,PCRE2,$(strip $1)))))
comma := ,
with = $(if $(strip $1),--traits $(call traits,$1))
WITH_CODECS = $(call with,$(FOUND_CODECS))

.DELETE_ON_ERROR:
.PHONY: always all run lib build python install install-lib install-tool test check format lint bench clean \
  stress fuzz test-swift test-codecs test-models test-c test-abi test-cli test-python test-examples test-tsan test-asan
all: lib build
lib: $(LIB)
build: $(TOOL)

# ----- set-up -------------------------------------------------------------------------------

build/.setup-%: .ci/setup
	@.ci/setup $*
	@mkdir -p $(@D) && touch $@

# Changes when other codecs are to be in.
build/.codecs: always | build/.setup-build
	@mkdir -p $(@D); echo '$(WITH_CODECS)' | cmp -s - $@ || echo '$(WITH_CODECS)' > $@

# ----- library: Embedded Swift, no runtime to carry -------------------------------------------

EMBEDDED := WORKPOOL_EMBEDDED=1 WORKPOOL_SWIFT_RESOURCES="$$($(SWIFT) -print-target-info | \
  sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')" \
  $(SWIFT) build -c release --disable-local-rpath --scratch-path .build/embedded

# Always from scratch: Embedded Swift puts code of lower modules into the objects of higher ones, and
# Swift 6.3 does not rebuild those when only the lower module changes.
build/unstripped/libworkpool.so: $(SOURCES) build/.codecs | build/.setup-build
	@rm -rf .build/embedded
	$(EMBEDDED) $(WITH_CODECS)
	@mkdir -p $(@D)
	cp .build/embedded/release/libworkpool.so $@
	@touch $@

$(LIB): build/unstripped/libworkpool.so
	@mkdir -p $(@D)
	strip --strip-unneeded -o $@.$(VERSION) $<
	ln -sf libworkpool.so.$(VERSION) $@.0
	ln -sf libworkpool.so.0 $@

# ----- tool ---------------------------------------------------------------------------------

$(TOOL): $(SOURCES) build/.codecs | build/.setup-build
	$(SWIFT) build -c release --product wpool --static-swift-stdlib $(WITH_CODECS)
	@mkdir -p $(@D)
	install -s .build/release/wpool $@

SAMPLE := examples/data/sample
run: $(TOOL)
	@mkdir -p build/run
	$(TOOL) process $(SAMPLE)_1.fastq.gz --mate $(SAMPLE)_2.fastq.gz \
	  -o build/run/kept_1.fastq.gz -o build/run/kept_2.fastq.gz --allow-overwrite \
	  --step 'Truncate n=140 segment=read1' --step 'Truncate n=140 segment=read2' \
	  --step 'CalcExpectedError aggregate=sum out_label=errors' \
	  --step 'FilterByNumericTag in_label=errors max_value=2 keep_or_remove=keep' \
	  --block-size 1000 --progress plain --stats
	@ls -l build/run/kept_1.fastq.gz build/run/kept_2.fastq.gz

# ----- tests --------------------------------------------------------------------------------

SUITES := swift codecs models c abi cli python examples
# A blocked thread must not block the run: every program has its seconds.
LIMITED := timeout --kill-after=10

test: build/.setup-test
	@MAKE="$(MAKE)" $(PYTHON) Tests/run_suites.py $(SUITES)

test-swift: build/.setup-test
	$(LIMITED) 1200 $(SWIFT) test $(WITH_CODECS)
# The tests of WorkpoolIO again with fewer codecs: none of those that were found, and each alone.
PACKERS = $(filter-out libpcre2-8,$(FOUND_CODECS))
CODEC_SETS = '' $(if $(word 2,$(PACKERS)),$(foreach codec,$(PACKERS),'$(call with,$(codec))'))
test-codecs: build/.setup-test
	@for with in $(CODEC_SETS); do \
	  echo "codecs: zlib and zstd $$with"; \
	  WORKPOOL_ONLY_IO=1 $(LIMITED) 900 $(SWIFT) test $$with --scratch-path .build/codecs \
	    --filter WorkpoolIOTests || exit 1; \
	done
# The engine and jobs, one test at a time: the sanitizer's runtime has room for 255 threads. A test asks for
# more memory than there is: the sanitizers shall say so and not end. Without the tests of the scheduler by
# millions of states, which have no thread and no pointer.
ENGINE_TESTS := --no-parallel --filter 'WorkpoolCoreTests|WorkpoolPipelineTests|WorkpoolJobsTests' \
  --skip 'EveryOrderTests|ReferenceTests'
test-tsan: build/.setup-test
	TSAN_OPTIONS=allocator_may_return_null=1 $(LIMITED) 3000 \
	  $(SWIFT) test --sanitize=thread --scratch-path .build/tsan $(ENGINE_TESTS)
# Undefined behaviour too, in what is C.
test-asan: build/.setup-test
	ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 $(LIMITED) 3000 \
	  $(SWIFT) test --sanitize=address $(addprefix -Xcc ,-fsanitize=undefined -fno-sanitize-recover=undefined) \
	  --scratch-path .build/asan $(ENGINE_TESTS)

test-c test-abi: test-%: build/.setup-test $(LIB)
	@$(LIMITED) 900 $(MAKE) --no-print-directory -C Tests/CTests $*

# The protocols of the engine in small, every order of steps; longer in `make stress`.
test-models: build/.setup-test
	@$(LIMITED) 600 $(MAKE) --no-print-directory -C Tests/Models

# OPTIONS='--count N --seed S --workers N', or '--replay SEED'
stress: build/.setup-test $(LIB)
	$(MAKE) --no-print-directory -C Tests/Models long
	$(MAKE) --no-print-directory -C Tests/Stress run OPTIONS='$(OPTIONS)'

# OPTIONS='SECONDS_EACH=60'
fuzz: build/.setup-test
	$(MAKE) --no-print-directory -C Tests/Fuzz WITH_CODECS='$(WITH_CODECS)' $(OPTIONS)

test-cli: build/.setup-test $(TOOL)
	WPOOL=$(abspath $(TOOL)) $(LIMITED) 1200 $(PYTHON) Tests/CLITests/run_cli_tests.py
test-python: build/.setup-test $(LIB)
	WORKPOOL_LIBRARY=$(abspath $(LIB)) PYTHONPATH=Sources/Python $(LIMITED) 900 \
	  $(PYTHON) -m unittest discover -s Tests/PythonTests -t Tests/PythonTests
test-examples: build/.setup-test $(LIB)
	$(LIMITED) 900 examples/run

bench: build/.setup-test $(LIB)
	$(MAKE) --no-print-directory -C Tests/Benchmarks

check: lint test
lint: build/.setup-test
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	$(PYTHON) Tests/CTests/check_header.py include/workpool.h
format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

# ----- packages -------------------------------------------------------------------------------

python: build/.setup-test $(LIB)
	$(PYTHON) Sources/Python/make_wheel.py $(LIB).$(VERSION) build/wheel

LIBDIR ?= $(PREFIX)/lib
install: install-lib install-tool
install-lib: lib
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/workpool \
	  $(DESTDIR)$(PREFIX)/include/workpool
	install -m 755 $(LIB).$(VERSION) $(DESTDIR)$(LIBDIR)/
	ln -sf libworkpool.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libworkpool.so.0
	ln -sf libworkpool.so.0 $(DESTDIR)$(LIBDIR)/libworkpool.so
	install -m 644 include/workpool.h include/workpool.hpp $(DESTDIR)$(PREFIX)/include/
	sed 's/"workpool.h"/"..\/workpool.h"/' include/module.modulemap \
	  > $(DESTDIR)$(PREFIX)/include/workpool/module.modulemap
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' \
	  'Name: workpool' 'Description: ordered parallel pipelines over blocks' \
	  'Version: $(VERSION)' 'Requires.private: zlib libzstd nettle $(FOUND_CODECS)' 'Libs: -L$${libdir} -lworkpool' \
	  'Libs.private: -lm -lpthread' 'Cflags: -I$${includedir}' \
	  > $(DESTDIR)$(LIBDIR)/pkgconfig/workpool.pc
	for file in workpool-config workpool-config-version; do \
	  sed 's,@VERSION@,$(VERSION),; s,@LIBDIR@,$(LIBDIR),; s,@INCLUDEDIR@,$(PREFIX)/include,' \
	    Sources/CMake/$$file.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/workpool/$$file.cmake || exit 1; \
	done
install-tool: build
	install -D -m 755 $(TOOL) $(DESTDIR)$(PREFIX)/bin/wpool
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,bash-completion/completions \
	  zsh/site-functions fish/vendor_completions.d)
	cd $(DESTDIR)$(PREFIX)/share && for file in bash-completion/completions/wpool \
	  zsh/site-functions/_wpool fish/vendor_completions.d/wpool.fish; do \
	  $(abspath $(TOOL)) completions $${file%%[-/]*} > $$file || exit 1; \
	done

clean:
	rm -rf build .build
