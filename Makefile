# SPDX-License-Identifier: MIT
# tcpdrop: needs clang (or CC=musl-gcc), musl and the kernel's UAPI headers.

CC      = clang
CFLAGS  = -Oz -g
LDFLAGS =
PREFIX  = /usr/local
SBINDIR = $(PREFIX)/sbin
MANDIR  = $(PREFIX)/share/man
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR  = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
ARCH   := $(shell uname -m)

# In the order of the data: this list is the map of the program.
OBJECTS = main.o options.o trace.o stream.o filter.o filter_words.o kernel.o probe.o offsets.o calibrate.o \
          program.o filter_program.o find_packet.o find_socket.o notes.o builder.o bpf_asm.o \
          inlined.o kcore.o peek.o sites.o learn.o netns.o hooks.o measure.o tracer.o attach.o \
          kprobes.o advice.o ring.o decode.o kallsyms.o subsystems.o tracefs.o names.o reasons.o \
          zone.o owner.o diag.o format.o extended.o put.o output.o pcapng.o capture.o terminal.o \
          summary.o keyboard.o signals.o watch.o progress.o counters.o tally.o check.o dump.o explain.o \
          texts.o packed.o unpack.o text.o nanos.o memory.o file.o

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE= $(WARNINGS) -ffile-prefix-map=$(CURDIR)=. -MMD -MP \
             -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
             -fno-unwind-tables -fno-ident -fno-pic -fno-jump-tables $(ARCH_CFLAGS) $(MUSL_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -static -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,norelro \
              -Wl,-z,common-page-size=64 -Wl,--sort-section=alignment $(MUSL_LDFLAGS) $(LDFLAGS)

# Nothing here is a floating-point number: variadic functions need not save such registers.
ARCH_CFLAGS = $(if $(filter x86_64,$(ARCH)),-mno-sse)

# clang on a system whose libc is not musl: Debian keeps musl in a folder of its own.
MUSL = $(firstword $(wildcard /usr/lib/$(ARCH)-linux-musl /usr/lib/musl/lib))
ifeq ($(findstring musl,$(shell $(CC) -dumpmachine 2>/dev/null) $(notdir $(CC))),)
MUSL_INCLUDE = $(firstword $(wildcard /usr/include/$(ARCH)-linux-musl /usr/lib/musl/include))
MUSL_CFLAGS  = -nostdinc -isystem $(MUSL_INCLUDE) \
               -isystem $(shell $(CC) -print-resource-dir)/include
MUSL_LDFLAGS = -nostdlib $(MUSL)/crt1.o $(MUSL)/crti.o
MUSL_LIBS    = $(MUSL)/libc.a $(shell $(CC) -print-libgcc-file-name) $(MUSL)/crtn.o
endif
# The kernel's headers come last, so that libc's own win.
MUSL_CFLAGS += -idirafter /usr/include -idirafter /usr/include/$(ARCH)-linux-gnu

Q = $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$@";)

all: tcpdrop

tcpdrop: $(OBJECTS)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(OBJECTS) $(MUSL_LIBS)

%.o: %.c
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(OBJECTS:.o=.d)

size: tcpdrop
	$(Q)cp tcpdrop tcpdrop.stripped && strip tcpdrop.stripped
	$(Q)wc -c < tcpdrop.stripped | sed 's/$$/ bytes stripped/'; rm -f tcpdrop.stripped

check: all
	$(Q)tests/run

bench: all
	$(Q)$(MAKE) -s -f tests/unit.mk floor && tests/bench/bench

install: tcpdrop
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8
	install -s -m 755 tcpdrop $(DESTDIR)$(SBINDIR)/tcpdrop
	install -m 644 man/tcpdrop.8 $(DESTDIR)$(MANDIR)/man8/tcpdrop.8
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	install -m 644 completions/tcpdrop.bash $(DESTDIR)$(BASHDIR)/tcpdrop
	install -m 644 completions/_tcpdrop $(DESTDIR)$(ZSHDIR)/_tcpdrop
	install -m 644 completions/tcpdrop.fish $(DESTDIR)$(FISHDIR)/tcpdrop.fish

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/tcpdrop $(DESTDIR)$(MANDIR)/man8/tcpdrop.8 $(DESTDIR)$(BASHDIR)/tcpdrop \
	      $(DESTDIR)$(ZSHDIR)/_tcpdrop $(DESTDIR)$(FISHDIR)/tcpdrop.fish

clean:
	rm -rf tcpdrop tcpdrop.stripped *.o *.d tests/build

.PHONY: all size check bench install uninstall clean
