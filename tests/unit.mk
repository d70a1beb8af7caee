# SPDX-License-Identifier: MIT
# Builds the unit tests: make -f tests/unit.mk units. Each links every object of
# the program but main.o, compiled for the tests alone, so that no list has to
# follow who calls whom. "sanitized" are the tests of pure files, once more with
# clang's sanitizers on the system's own libc.

include Makefile

BUILD   = tests/build
UNITS   = $(patsubst tests/%.c,$(BUILD)/%,$(sort $(wildcard tests/test_*.c)))
PURE    = kallsyms names decode format options offsets bpf_asm program probe behaviour once \
          zone inlined text calibrate extended counters explain texts notes diag pcapng netns filter counts summary
TESTED  = $(patsubst %,$(BUILD)/%,$(filter-out main.o,$(OBJECTS)))
HELPERS = $(BUILD)/bpf_run.o $(BUILD)/world.o $(BUILD)/ways.o
READBACK = $(BUILD)/readback
FLOOR    = $(BUILD)/floor

SANITIZED = $(patsubst %,$(BUILD)/san/test_%,$(filter $(patsubst $(BUILD)/test_%,%,$(UNITS)),$(PURE)))
SAN_TESTED = $(TESTED:$(BUILD)/%=$(BUILD)/san/%)
SAN_CFLAGS = -std=c11 -D_GNU_SOURCE= -g -O1 -fsanitize=address,undefined \
             -fno-sanitize-recover=undefined -MMD -MP

units: $(UNITS) $(READBACK)
floor: $(FLOOR)
sanitized: $(SANITIZED)

$(BUILD)/%.o: %.c | $(BUILD)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: tests/%.c | $(BUILD)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: tests/bench/%.c | $(BUILD)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(UNITS) $(READBACK) $(FLOOR): $(BUILD)/%: $(BUILD)/%.o $(HELPERS) $(TESTED)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $< $(HELPERS) $(TESTED) $(MUSL_LIBS)

$(BUILD)/san/%.o: %.c | $(BUILD)
	$(call say,CC)clang $(SAN_CFLAGS) -c -o $@ $<

$(BUILD)/san/%.o: tests/%.c | $(BUILD)
	$(call say,CC)clang $(SAN_CFLAGS) -c -o $@ $<

$(SANITIZED): $(BUILD)/san/%: $(BUILD)/san/%.o $(HELPERS:$(BUILD)/%=$(BUILD)/san/%) $(SAN_TESTED)
	$(call say,LINK)clang -fsanitize=address,undefined -o $@ $^

# With the system's own libc and libpcap, for tests/check_filter.
GLIBC_CC = gcc
GLIBC_CFLAGS = -std=c11 -D_GNU_SOURCE= -g -O1 -Wall -Wextra -MMD -MP
PCAP_OBJECTS = $(patsubst %.o,$(BUILD)/glibc/%.o,filter_pcap.o peer.o bpf_run.o world.o \
               $(filter-out main.o,$(OBJECTS)))

$(BUILD)/glibc/%.o: %.c | $(BUILD)
	$(call say,CC)$(GLIBC_CC) $(GLIBC_CFLAGS) -c -o $@ $<

$(BUILD)/glibc/%.o: tests/%.c | $(BUILD)
	$(call say,CC)$(GLIBC_CC) $(GLIBC_CFLAGS) -c -o $@ $<

$(BUILD)/filter_pcap: $(PCAP_OBJECTS)
	$(call say,LINK)$(GLIBC_CC) -o $@ $^ -lpcap

$(BUILD):
	mkdir -p $(BUILD)/san $(BUILD)/glibc

-include $(wildcard $(BUILD)/*.d $(BUILD)/san/*.d $(BUILD)/glibc/*.d)

# For tests/check_structure and tests/check_build.
flags:
	@echo '$(CC) $(ALL_CFLAGS)'
objects:
	@echo $(OBJECTS)
tested: $(TESTED)

.PHONY: units floor sanitized flags objects tested
.SECONDARY:
