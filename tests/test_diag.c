/* SPDX-License-Identifier: MIT */
#include <linux/sock_diag.h>

#include "../diag.h"
#include "../drop.h"
#include "tap.h"

enum { INET = 2, INET6 = 10, SYN = 2, RST = 4, ACK = 16 };
enum {
	ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, TIME_WAIT = 6, LISTEN = 10, NEW_SYN_RECV = 12,
};

/* From 10.0.0.7:443 to 10.0.0.9:51514, on device 3 */
static struct drop
make_drop(uint8_t state, bool received, bool sent)
{
	return (struct drop){
		.ip = 4, .saddr = { 10, 0, 0, 7 }, .daddr = { 10, 0, 0, 9 }, .has_ports = true,
		.has_tcp = true, .flags = ACK, .sport = 443, .dport = 51514, .state = state,
		.received = received, .sent = sent, .ifindex = 3,
	};
}

static const uint8_t source[16] = { 10, 0, 0, 7 }, target[16] = { 10, 0, 0, 9 };
static const uint8_t source_port[2] = { 0x01, 0xbb }, target_port[2] = { 0xc9, 0x3a };

/* Is the socket asked for the one at this end? */
static bool
asks(const struct inet_diag_sockid *id, const uint8_t *ours, const uint8_t *our_port,
     const uint8_t *peer, const uint8_t *peer_port)
{
	return !memcmp(id->idiag_src, ours, 16) && !memcmp(&id->idiag_sport, our_port, 2)
	       && !memcmp(id->idiag_dst, peer, 16) && !memcmp(&id->idiag_dport, peer_port, 2);
}

static void
test_ends(void)
{
	struct diag_request q;
	struct drop d = make_drop(ESTABLISHED, true, false);

	CHECK(diag_ask(&q, &d) && asks(&q.body.id, target, target_port, source, source_port),
	      "received: the destination is ours");
	CHECK_INT(q.body.sdiag_family, INET, "received: IPv4");
	CHECK_INT(q.body.sdiag_protocol, 6, "received: TCP");
	CHECK_INT(q.body.id.idiag_if, 3, "received: its device");
	CHECK_INT(q.header.nlmsg_type, SOCK_DIAG_BY_FAMILY, "received: type");
	CHECK_INT(q.header.nlmsg_flags, NLM_F_REQUEST, "received: one socket, no list");
	CHECK_INT(q.header.nlmsg_len, 16 + 56, "received: length");
	CHECK(q.body.id.idiag_cookie[0] == UINT32_MAX && q.body.id.idiag_cookie[1] == UINT32_MAX,
	      "received: any cookie");
	d = make_drop(FIN_WAIT1, false, true);
	CHECK(diag_ask(&q, &d) && asks(&q.body.id, source, source_port, target, target_port),
	      "sent: the source is ours");
	d = make_drop(LISTEN, false, false);
	CHECK(diag_ask(&q, &d) && asks(&q.body.id, target, target_port, source, source_port),
	      "a listener's: the destination is ours");
	d = make_drop(ESTABLISHED, true, false);
	d.ip = 6;
	memset(d.saddr, 0xab, sizeof(d.saddr));
	CHECK(diag_ask(&q, &d) && q.body.sdiag_family == INET6
	      && asks(&q.body.id, target, target_port, d.saddr, source_port),
	      "IPv6: all of the address");
}

static const struct {
	const char *name;
	uint8_t     state;
	bool        received, sent, portless;
	uint8_t     flags;
	bool        want;
} owned[] = {
	{ "a connection", ESTABLISHED, true, false, false, ACK, true },
	{ "being made", SYN_SENT, true, false, false, SYN | ACK, true },
	{ "no socket", 0, false, false, false, ACK, false },
	{ "no socket, whatever else", 0, true, false, false, ACK, false },
	{ "no ports", ESTABLISHED, true, false, true, ACK, false },
	{ "direction not known", ESTABLISHED, false, false, false, ACK, false },
	{ "TIME_WAIT", TIME_WAIT, true, false, false, ACK, false },
	{ "half-open", NEW_SYN_RECV, true, false, false, ACK, false },
	{ "a listener", LISTEN, false, false, false, SYN, true },
	{ "a listener, RST", LISTEN, false, false, false, RST | ACK, true },
	{ "a listener, SYN|ACK: from it or to it", LISTEN, false, false, false, SYN | ACK, false },
};

static void
test_owned(void)
{
	struct diag_request q;

	for (size_t i = 0; i < COUNT(owned); i++) {
		struct drop d = make_drop(owned[i].state, owned[i].received, owned[i].sent);

		d.has_ports = !owned[i].portless;
		d.flags = owned[i].flags;
		CHECK_INT(diag_ask(&q, &d), owned[i].want, "asked for: %s", owned[i].name);
	}
}

/* An answer as the kernel sends it; size bytes of it arrive. */
static uint32_t
inode(uint16_t type, uint8_t found, uint32_t number, size_t size, uint8_t state)
{
	struct {
		struct nlmsghdr      header;
		struct inet_diag_msg body;
		char                 more[64];
	} answer = {
		.header = { .nlmsg_len = 88, .nlmsg_type = type },
		.body = { .idiag_state = found, .idiag_inode = number },
	};

	return diag_inode(&answer, size, state);
}

static void
test_answers(void)
{
	const uint16_t type = SOCK_DIAG_BY_FAMILY;

	CHECK_INT(inode(type, ESTABLISHED, 77, 88, ESTABLISHED), 77, "inode");
	CHECK_INT(inode(type, ESTABLISHED, 77, 152, SYN_SENT), 77, "inode: with attributes");
	CHECK_INT(inode(type, FIN_WAIT1, 0, 88, ESTABLISHED), 0, "inode: an orphan has none");
	CHECK_INT(inode(type, LISTEN, 77, 88, LISTEN), 77, "inode: a listener's");
	CHECK_INT(inode(type, LISTEN, 77, 88, ESTABLISHED), 0,
	          "inode: the connection has gone, a listener is there");
	CHECK_INT(inode(type, ESTABLISHED, 77, 88, LISTEN), 0,
	          "inode: a connection where a listener was");
	CHECK_INT(inode(NLMSG_ERROR, ESTABLISHED, 77, 88, ESTABLISHED), 0, "inode: an error");
	CHECK_INT(inode(type, ESTABLISHED, 77, 87, ESTABLISHED), 0, "inode: cut");
	CHECK_INT(inode(type, ESTABLISHED, 77, 0, ESTABLISHED), 0, "inode: nothing came");
}

static int
error(uint16_t type, int number, size_t size)
{
	const struct {
		struct nlmsghdr header;
		int             number;
	} answer = { { .nlmsg_len = 20, .nlmsg_type = type }, number };

	return diag_error(&answer, size);
}

static void
test_try(void)
{
	struct diag_request q;

	diag_try(&q);
	CHECK_INT(q.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP, "try: a list");
	CHECK_INT(q.body.idiag_states, 0, "try: of no sockets");
	CHECK_INT(error(NLMSG_DONE, 0, 20), 0, "try: an empty list");
	CHECK_INT(error(NLMSG_DONE, -2, 20), -2, "try: no tcp_diag");
	CHECK_INT(error(NLMSG_ERROR, -2, 20), -2, "try: no inet_diag");
	CHECK(error(NLMSG_DONE, 0, 19) < 0, "try: cut");
	CHECK(error(NLMSG_DONE, 0, 0) < 0, "try: nothing came");
	CHECK(error(SOCK_DIAG_BY_FAMILY, 0, 20) < 0, "try: something else");
}

int
main(void)
{
	test_ends();
	test_owned();
	test_answers();
	test_try();
	return tap_end();
}
