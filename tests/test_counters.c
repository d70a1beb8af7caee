/* SPDX-License-Identifier: MIT */
/*
 * The kernel's counters of refused and dropped TCP packets: files as net/ipv4/proc.c
 * of several kernels writes them, what is none, and the table beside what was shown.
 */
#include <linux/version.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../counters.h"
#include "../names.h"
#include "tap.h"

static unsigned
row(const char *name)
{
	char text[COUNTERS_NAME];
	unsigned i = 0;

	for (; i < COUNTERS; i++) {
		counters_name(text, sizeof(text), i);
		if (!strcmp(text, name))
			break;
	}
	return i;
}

/* -1: not known */
static long long
value(const struct counters *c, const char *name)
{
	unsigned i = row(name);

	return i < COUNTERS && c->known >> i & 1 ? (long long)c->value[i] : -1;
}

static void
test_names(void)
{
	char text[COUNTERS_NAME], small[8];

	for (unsigned i = 0; i < COUNTERS; i++) {
		counters_name(text, sizeof(text), i);
		CHECK(row(text) == i && strlen(text) <= 24, "%s is there once and fits its column",
		      text);
	}
	counters_name(small, sizeof(small), 0);
	CHECK_STR(small, "TcpExtL", "a name is cut and terminated");
}

/* ---- reading ---- */

/* net/ipv4/proc.c of 4.4: PAWSPassive, but no TCPRcvQDrop and no TCPZeroWindowDrop */
static const char netstat_4_4[] =
	"TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned"
	" OfoPruned OutOfWindowIcmps LockDroppedIcmps ArpFilter TW TWRecycled TWKilled"
	" PAWSPassive PAWSActive PAWSEstab DelayedACKs DelayedACKLocked DelayedACKLost"
	" ListenOverflows ListenDrops TCPPrequeued\n"
	"TcpExt: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22\n"
	"IpExt: InNoRoutes InTruncatedPkts InCsumErrors\n"
	"IpExt: 100 101 102\n";

static const char snmp_4_4[] =
	"Ip: Forwarding DefaultTTL InReceives\n"
	"Ip: 1 64 1000\n"
	"Icmp: InMsgs InErrors InCsumErrors\n"
	"Icmp: 1 2 3\n"
	"IcmpMsg: InType3\n"
	"IcmpMsg: 5\n"
	"Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens InSegs InErrs OutRsts InCsumErrors\n"
	"Tcp: 1 200 120000 -1 30 9192 7 12 4\n"
	"Udp: InDatagrams NoPorts InErrors InCsumErrors\n"
	"Udp: 70 71 72 73\n";

/* as of 6.18: other neighbours, and a group more */
static const char netstat_6_18[] =
	"TcpExt: SyncookiesSent RcvPruned OfoPruned PAWSActive PAWSEstab BeyondWindow TSEcrRejected"
	" PAWSOldAck PAWSTimewait ListenOverflows ListenDrops TCPMD5NotFound TCPBacklogDrop"
	" TCPReqQFullDoCookies TCPReqQFullDrop TCPZeroWindowDrop TCPRcvQDrop TCPAORequired TCPAOBad"
	" TCPAOKeyNotFound TCPAOGood\n"
	"TcpExt: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\n"
	"IpExt: InNoRoutes\n"
	"IpExt: 1\n"
	"MPTcpExt: MPCapableSYNRX ListenDrops InErrs\n"
	"MPTcpExt: 900 901 902\n";

static const struct reading {
	const char *name;
	const char *text;
	const char *counter;
	long long   want;
} readings[] = {
	{ "4.4", netstat_4_4, "TcpExtPAWSPassive", 14 },
	{ "4.4", netstat_4_4, "TcpExtRcvPruned", 6 },
	{ "4.4", netstat_4_4, "TcpExtListenOverflows", 20 },
	{ "4.4", netstat_4_4, "TcpExtListenDrops", 21 },
	{ "4.4, not there yet", netstat_4_4, "TcpExtTCPRcvQDrop", -1 },
	{ "4.4, another group's", netstat_4_4, "TcpInCsumErrors", -1 },
	{ "4.4, in snmp", snmp_4_4, "TcpInErrs", 7 },
	{ "4.4, in snmp, not those of Icmp and Udp", snmp_4_4, "TcpInCsumErrors", 4 },
	{ "4.4, not in snmp", snmp_4_4, "TcpExtListenDrops", -1 },
	{ "6.18", netstat_6_18, "TcpExtListenDrops", 10 },
	{ "6.18", netstat_6_18, "TcpExtBeyondWindow", 5 },
	{ "6.18, a name that begins like another", netstat_6_18, "TcpExtTCPReqQFullDrop", 14 },
	{ "6.18", netstat_6_18, "TcpExtTCPAOBad", 18 },
	{ "6.18, gone", netstat_6_18, "TcpExtPAWSPassive", -1 },
	{ "6.18, another group's", netstat_6_18, "TcpInErrs", -1 },
	{ "63 bits", "Tcp: InErrs\nTcp: 9223372036854775807\n", "TcpInErrs", INT64_MAX },
	{ "more than 63 bits is none", "Tcp: InErrs\nTcp: 9223372036854775808\n", "TcpInErrs", -1 },
	{ "more than 64 bits is none", "Tcp: InErrs\nTcp: 99999999999999999999999\n", "TcpInErrs", -1 },
	{ "a negative one", "Tcp: InErrs\nTcp: -1\n", "TcpInErrs", -1 },
	{ "no number", "Tcp: InErrs\nTcp: x\n", "TcpInErrs", -1 },
	{ "a number and more", "Tcp: InErrs\nTcp: 7x\n", "TcpInErrs", -1 },
	{ "the one after no number", "Tcp: InErrs InCsumErrors\nTcp: x 8\n", "TcpInCsumErrors", 8 },
	{ "fewer numbers than names", "Tcp: InErrs InCsumErrors\nTcp: 7\n", "TcpInCsumErrors", -1 },
	{ "fewer numbers than names, the first", "Tcp: InErrs InCsumErrors\nTcp: 7\n", "TcpInErrs", 7 },
	{ "more numbers than names", "Tcp: InErrs\nTcp: 7 8 9\n", "TcpInErrs", 7 },
	{ "no newline at the end", "Tcp: InErrs\nTcp: 7", "TcpInErrs", 7 },
	{ "names alone", "Tcp: InErrs\n", "TcpInErrs", -1 },
	{ "names alone, no newline", "Tcp: InErrs", "TcpInErrs", -1 },
	{ "names, then another group", "Tcp: InErrs\nUdp: 7\nTcp: 8\n", "TcpInErrs", -1 },
	{ "a lost line does not hide the next group",
	  "Ip: InErrs\nTcp: InErrs\nTcp: 7\n", "TcpInErrs", 7 },
	{ "lines without a colon", "Tcp\nInErrs 7\n\nTcp: InErrs\nTcp: 7\n", "TcpInErrs", 7 },
	{ "half a name", "Tcp: InErr\nTcp: 7\n", "TcpInErrs", -1 },
	{ "a longer name", "Tcp: InErrsX\nTcp: 7\n", "TcpInErrs", -1 },
	{ "half a group", "Tc: InErrs\nTc: 7\n", "TcpInErrs", -1 },
	{ "no group", ": InErrs\n: 7\n", "TcpInErrs", -1 },
	{ "a reason is no counter", "TcpExt: PROTO_MEM\nTcpExt: 7\n", "TcpExtPROTO_MEM", -1 },
	{ "nothing", "", "TcpInErrs", -1 },
	{ "empty lines", "\n\n\n", "TcpInErrs", -1 },
};

static void
test_reading(const struct reading *r)
{
	struct counters c = { 0 };

	counters_parse(&c, r->text);
	CHECK_INT(value(&c, r->counter), r->want, "%s: %s", r->name, r->counter);
}

/* A file twice the size of today's, with all that are unknown before one that is known. */
static void
test_long(void)
{
	static char text[32 * 1024];
	struct counters c = { 0 };
	char *p = text;

	p += sprintf(p, "TcpExt:");
	for (int i = 0; i < 500; i++)
		p += sprintf(p, " CounterOfTomorrow%d", i);
	p += sprintf(p, " ListenDrops\nTcpExt:");
	for (int i = 0; i < 500; i++)
		p += sprintf(p, " 9223372036854775807");
	sprintf(p, " 42\nIpExt: InNoRoutes\nIpExt: 0\n");
	counters_parse(&c, text);
	CHECK_INT(value(&c, "TcpExtListenDrops"), 42, "long lines");
	CHECK_INT(c.known, 1u << row("TcpExtListenDrops"), "long lines: nothing else");
}

/* Text that ends anywhere is not read beyond, and gives no number it does not have. */
static void
test_truncated(void)
{
	size_t size = strlen(snmp_4_4);
	bool good = true;

	for (size_t n = 0; n <= size; n++) {
		char *text = malloc(n + 1);
		struct counters c = { 0 };

		memcpy(text, snmp_4_4, n);
		text[n] = '\0';
		counters_parse(&c, text);
		good &= value(&c, "TcpInErrs") == -1 || value(&c, "TcpInErrs") == 7;
		free(text);
	}
	CHECK(good, "truncated text");
}

static void
test_two_files(void)
{
	struct counters c = { 0 };

	counters_parse(&c, netstat_4_4);
	counters_parse(&c, snmp_4_4);
	CHECK(value(&c, "TcpExtListenDrops") == 21 && value(&c, "TcpInErrs") == 7,
	      "the second file adds to the first");
}

/* ---- the difference ---- */

static void
test_rise(void)
{
	static const struct {
		const char *name, *before, *after;
		unsigned long long want;
	} rises[] = {
		{ "rose", "Tcp: InErrs\nTcp: 7\n", "Tcp: InErrs\nTcp: 10\n", 3 },
		{ "the same", "Tcp: InErrs\nTcp: 7\n", "Tcp: InErrs\nTcp: 7\n", 0 },
		{ "fell: another namespace, or 32 bits",
		  "Tcp: InErrs\nTcp: 7\n", "Tcp: InErrs\nTcp: 2\n", 0 },
		{ "more than 32 bits",
		  "Tcp: InErrs\nTcp: 4294967290\n", "Tcp: InErrs\nTcp: 8589934592\n", 4294967302 },
		{ "not read before", "", "Tcp: InErrs\nTcp: 7\n", 0 },
		{ "not read after", "Tcp: InErrs\nTcp: 7\n", "", 0 },
	};

	for (size_t i = 0; i < COUNT(rises); i++) {
		struct counters before = { 0 }, after = { 0 };

		counters_parse(&before, rises[i].before);
		counters_parse(&after, rises[i].after);
		CHECK_INT(counters_rise(&before, &after, row("TcpInErrs")), rises[i].want, "%s",
		          rises[i].name);
	}
}

/* ---- the table ---- */

static struct names    names_7_3, none;
static struct counters zero, risen;

/* Counter i rose by i + 1; of the reason with the number n, n drops were shown. */
static void
test_whole_table(void)
{
	/* the numbers of the reasons are those of tests/facts/reasons/7.3.4.txt */
	static const char want[] =
		"COUNTER                   COUNTED    SHOWN  REASON\n"
		"TcpExtListenOverflows           1       40  TCP_LISTEN_OVERFLOW\n"
		"TcpExtListenDrops               2       40  TCP_LISTEN_OVERFLOW\n"
		"TcpExtTCPReqQFullDrop           3        -\n"
		"TcpExtPAWSPassive               4        -\n"
		"TcpExtTCPDeferAcceptDrop        5        -\n"
		"TcpExtTCPBacklogDrop            6       29  SOCKET_BACKLOG\n"
		"TcpExtTCPRcvQDrop               7       20  PROTO_MEM\n"
		"TcpExtTCPOFODrop                8       20  PROTO_MEM\n"
		"TcpExtRcvPruned                 9       20  PROTO_MEM\n"
		"TcpExtOfoPruned                10       52  TCP_OFO_QUEUE_PRUNE\n"
		"TcpExtTCPOFOMerge              11       35  TCP_OFOMERGE\n"
		"TcpExtTCPZeroWindowDrop        12       32  TCP_ZEROWINDOW\n"
		"TcpExtBeyondWindow             13       42  TCP_INVALID_SEQUENCE\n"
		"                                        43  TCP_INVALID_END_SEQUENCE\n"
		"                                        34  TCP_OVERWINDOW\n"
		"TcpExtPAWSActive               14       36  TCP_RFC7323_PAWS\n"
		"TcpExtPAWSEstab                15       36  TCP_RFC7323_PAWS\n"
		"TcpExtPAWSOldAck               16       37  TCP_RFC7323_PAWS_ACK\n"
		"TcpExtPAWSTimewait             17       38  TCP_RFC7323_TW_PAWS\n"
		"TcpExtTSEcrRejected            18       39  TCP_RFC7323_TSECR\n"
		"TcpExtTCPMinTTLDrop            19       95  TCP_MINTTL\n"
		"TcpExtTCPMD5NotFound           20       22  TCP_MD5NOTFOUND\n"
		"TcpExtTCPMD5Unexpected         21       23  TCP_MD5UNEXPECTED\n"
		"TcpExtTCPMD5Failure            22       24  TCP_MD5FAILURE\n"
		"TcpExtTCPAORequired            23       25  TCP_AONOTFOUND\n"
		"TcpExtTCPAOKeyNotFound         24       27  TCP_AOKEYNOTFOUND\n"
		"                                        26  TCP_AOUNEXPECTED\n"
		"TcpExtTCPAOBad                 25       28  TCP_AOFAILURE\n"
		"TcpInErrs                      26       10  TCP_CSUM\n"
		"                                         9  PKT_TOO_SMALL\n"
		"                                        46  TCP_INVALID_SYN\n"
		"TcpInCsumErrors                27       10  TCP_CSUM\n";
	uint64_t shown[NAMES_REASONS];
	char text[4096];

	for (unsigned i = 0; i < NAMES_REASONS; i++)
		shown[i] = i;
	CHECK_INT(counters_table(text, sizeof(text), &zero, &risen, shown, &names_7_3),
	          strlen(want), "the whole table: its length");
	CHECK_STR(text, want, "the whole table");
	CHECK_INT(counters_table(text, 100, &zero, &risen, shown, &names_7_3), strlen(want),
	          "cut: the length it would have");
	CHECK(!strncmp(text, want, 99) && !text[99], "cut: terminated");
	CHECK_INT(counters_table(text, 0, &zero, &risen, shown, &names_7_3), strlen(want),
	          "no room at all");
}

static void
test_small_tables(void)
{
	static const char one_rose[] = "Tcp: InErrs InCsumErrors\nTcp: 1 0\n";
	uint64_t shown[NAMES_REASONS] = { [46] = 12345678901 };
	struct counters c = { 0 };
	static struct names old;
	char text[512];

	CHECK_INT(counters_table(text, sizeof(text), &risen, &risen, shown, &names_7_3), 0,
	          "nothing rose, nothing is said");
	CHECK_INT(counters_table(text, sizeof(text), &risen, &zero, shown, &names_7_3), 0,
	          "all unknown, nothing is said");
	counters_parse(&c, one_rose);
	counters_table(text, sizeof(text), &zero, &c, shown, &names_7_3);
	CHECK_STR(text, "COUNTER                   COUNTED    SHOWN  REASON\n"
	          "TcpInErrs                       1 12345678901  TCP_INVALID_SYN\n",
	          "only reasons of which drops were shown");
	shown[46] = 0;
	counters_table(text, sizeof(text), &zero, &c, shown, &names_7_3);
	CHECK_STR(text, "COUNTER                   COUNTED    SHOWN  REASON\n"
	          "TcpInErrs                       1        0  TCP_CSUM\n", "none was shown");
	counters_table(text, sizeof(text), &zero, &c, shown, &none);
	CHECK_STR(text, "COUNTER                   COUNTED    SHOWN  REASON\n"
	          "TcpInErrs                       1        -\n", "a kernel without reasons");
	/* 6.1 has TCP_OVERWINDOW and TCP_INVALID_SEQUENCE, but no TCP_LISTEN_OVERFLOW */
	CHECK_INT(names_builtin(&old, KERNEL_VERSION(6, 1, 170)), 0, "the reasons of 6.1");
	counters_parse(&c, "TcpExt: ListenDrops\nTcpExt: 5\n");
	counters_table(text, sizeof(text), &zero, &c, shown, &old);
	CHECK_STR(text, "COUNTER                   COUNTED    SHOWN  REASON\n"
	          "TcpExtListenDrops               5        -\n"
	          "TcpInErrs                       1        0  TCP_CSUM\n", "a reason 6.1 does not have");
	names_free(&old);
}

int
main(void)
{
	zero.known = risen.known = (1u << COUNTERS) - 1;
	for (unsigned i = 0; i < COUNTERS; i++)
		risen.value[i] = i + 1;
	test_names();
	for (size_t i = 0; i < COUNT(readings); i++)
		test_reading(&readings[i]);
	test_long();
	test_truncated();
	test_two_files();
	test_rise();
	CHECK_INT(names_builtin(&names_7_3, KERNEL_VERSION(7, 3, 4)), 0, "the reasons of 7.3.4");
	test_whole_table();
	test_small_tables();
	names_free(&names_7_3);
	return tap_end();
}
