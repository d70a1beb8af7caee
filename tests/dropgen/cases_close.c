/* SPDX-License-Identifier: MIT */
/* Drops while a connection begins from the kernel's side, or ends. */
#define _GNU_SOURCE

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"

enum { TCP_LINGER2_OPTION = 8 };

static const char *
syn_sent_bad_ack(struct run *r)
{
	const char *error = conn_connect(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, SYN | ACK, 0);
	p.ack += 1000;
	case_drop(r, &p);
	return NULL;
}

static const char *
syn_sent_no_syn(struct run *r)
{
	const char *error = conn_connect(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK, 0);
	case_drop(r, &p);
	return NULL;
}

static const char *
syn_sent_rst(struct run *r)
{
	const char *error = conn_connect(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, RST, 0);
	case_drop(r, &p);
	return NULL;
}

/* The kernel's end closes and sends its FIN. */
static const char *
kernel_closes(struct run *r)
{
	struct packet p;

	close(r->c.fd);
	r->c.fd = -1;
	if (!conn_expect(&r->c, FIN, &p, 2000))
		return "no FIN came";
	r->c.rcv_nxt = p.seq + (uint32_t)p.len;
	return NULL;
}

static const char *
abort_on_data(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (!error)
		error = kernel_closes(r);
	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	return NULL;
}

static const char *
abort_linger2(struct run *r)
{
	const char *error = conn_open(&r->c);
	int never = -1;
	struct packet p;

	if (error)
		return error;
	if (setsockopt(r->c.fd, IPPROTO_TCP, TCP_LINGER2_OPTION, &never, sizeof(never)) < 0)
		return "cannot set TCP_LINGER2";
	error = kernel_closes(r);
	if (error)
		return error;
	r->c.rcv_nxt++;
	p = conn_packet(&r->c, ACK, 0);
	case_drop(r, &p);
	return NULL;
}

/* FIN_WAIT2 without an owner is kept as a TIME_WAIT socket. */
static const char *
to_fin_wait2(struct run *r, unsigned int flags, size_t len, uint32_t seq)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (!error)
		error = kernel_closes(r);
	if (error)
		return error;
	r->c.rcv_nxt++;
	p = conn_packet(&r->c, ACK, 0);
	case_accepted(r, &p, "FIN_WAIT1|FIN_WAIT2|CLOSE|TIME_WAIT");
	p = conn_packet(&r->c, flags, len);
	p.seq += seq;
	case_drop(r, &p);
	return NULL;
}

static const char *
fin_wait2_data(struct run *r)
{
	return to_fin_wait2(r, ACK | PSH, 10, 0);
}

static const char *
fin_wait2_outside(struct run *r)
{
	return to_fin_wait2(r, ACK | PSH, 10, 0x20000000);
}

static const char *
fin_wait2_fin(struct run *r)
{
	return to_fin_wait2(r, FIN | ACK, 0, 0);
}

/* The way into TIME_WAIT on which the kernel frees no packet as dropped. */
static const char *
enter_time_wait(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	shutdown(r->c.fd, SHUT_WR);
	if (!conn_expect(&r->c, FIN, &p, 2000))
		return "no FIN came";
	r->c.rcv_nxt = p.seq + 1;
	p = conn_packet(&r->c, FIN | ACK, 0);
	conn_inject(&r->c, &p);
	r->c.snd_nxt++;
	if (!conn_expect(&r->c, ACK, &p, 2000))
		return "no ACK of our FIN came";
	close(r->c.fd);
	r->c.fd = -1;
	return NULL;
}

static const char *
to_time_wait(struct run *r, unsigned int flags, size_t len, uint32_t seq)
{
	const char *error = enter_time_wait(r);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, flags, len);
	p.seq += seq;
	case_drop(r, &p);
	return NULL;
}

static const char *
time_wait_data(struct run *r)
{
	return to_time_wait(r, ACK | PSH, 10, 0);
}

static const char *
time_wait_old(struct run *r)
{
	return to_time_wait(r, ACK | PSH, 10, (uint32_t)-11);
}

static const char *
time_wait_ack(struct run *r)
{
	return to_time_wait(r, ACK, 0, 0);
}

static const char *
time_wait_rst(struct run *r)
{
	return to_time_wait(r, RST, 0, 0);
}

static const char *
time_wait_paws(struct run *r)
{
	const char *error;
	struct packet p;

	r->c.timestamps = true;
	error = enter_time_wait(r);
	if (error)
		return error;
	r->c.tsval -= 100000;
	p = conn_packet(&r->c, ACK, 0);
	case_drop(r, &p);
	return NULL;
}

static const char *
enter_close_wait(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, FIN | ACK, 0);
	conn_inject(&r->c, &p);
	r->c.snd_nxt++;
	if (!conn_expect(&r->c, ACK, &p, 2000))
		return "no ACK of our FIN came";
	return NULL;
}

static const char *
close_wait_ack(struct run *r)
{
	const char *error = enter_close_wait(r);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK, 0);
	case_drop(r, &p);
	return NULL;
}

static const char *
close_wait_data(struct run *r)
{
	const char *error = enter_close_wait(r);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	return NULL;
}

static const char *
last_ack_ack(struct run *r)
{
	const char *error = enter_close_wait(r);
	struct packet p;

	if (!error)
		error = kernel_closes(r);
	if (error)
		return error;
	p = conn_packet(&r->c, ACK, 0);
	case_drop(r, &p);
	r->c.rcv_nxt++;
	p = conn_packet(&r->c, ACK, 0);
	case_accepted(r, &p, "LAST_ACK|CLOSE");
	return NULL;
}

static const char *
purge_unread(struct run *r)
{
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 100);
	error = conn_send(&r->c, 100);
	if (error)
		return error;
	record_drop(&r->what->expected, &p);
	if (connect(r->c.fd, (struct sockaddr *)&none, sizeof(none)) < 0)
		return "cannot disconnect";
	return NULL;
}

static const char *
purge_unaccepted(struct run *r)
{
	const char *error = conn_listen(&r->c);
	struct packet p;

	if (!error)
		error = conn_syn(&r->c);
	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 100);
	conn_inject(&r->c, &p);
	conn_settle(r->c.tun);
	record_drop(&r->what->expected, &p);
	return NULL;
}

static const char *
purge_ofo(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 100);
	p.seq += 100;
	record_drop(&r->what->expected, &p);
	conn_inject(&r->c, &p);
	return NULL;
}

const struct drop_case cases_close[] = {
	CASE_UNNAMED(syn_sent_bad_ack, KERNEL(6, 12), "SYN_SENT", "TCP_INVALID_ACK_SEQUENCE",
	     "SYN|ACK of something else"),
	CASE(syn_sent_no_syn, "SYN_SENT", "TCP_FLAGS", "ACK without SYN in SYN_SENT"),
	CASE(syn_sent_rst, "SYN_SENT", "TCP_RESET", "RST without ACK in SYN_SENT"),
	/* tcp_reset() and tcp_done() have closed the socket before the packet is freed. */
	CASE_UNNAMED(abort_on_data, KERNEL(6, 12), "CLOSE|FIN_WAIT1", "TCP_ABORT_ON_DATA",
	             "data after close"),
	CASE_UNNAMED(abort_linger2, KERNEL(6, 12), "CLOSE|FIN_WAIT1|FIN_WAIT2", "TCP_ABORT_ON_DATA",
	     "ACK of the FIN with TCP_LINGER2 -1"),
	/* Whatever reaches a TIME_WAIT socket is freed as dropped. */
	CASE(fin_wait2_data, "TIME_WAIT", "NOT_SPECIFIED|TCP_ABORT_ON_DATA", "data in FIN_WAIT2"),
	CASE(fin_wait2_outside, "TIME_WAIT", "NOT_SPECIFIED|TCP_OVERWINDOW|TCP_INVALID_SEQUENCE",
	     "segment outside the window in FIN_WAIT2"),
	CASE(fin_wait2_fin, "TIME_WAIT", "NOT_SPECIFIED", "FIN in FIN_WAIT2"),
	CASE(time_wait_data, "TIME_WAIT", "NOT_SPECIFIED", "data in TIME_WAIT"),
	CASE(time_wait_old, "TIME_WAIT", "NOT_SPECIFIED|TCP_OLD_DATA|TCP_OLD_SEQUENCE",
	     "old data in TIME_WAIT"),
	CASE(time_wait_ack, "TIME_WAIT", "NOT_SPECIFIED", "ACK in TIME_WAIT"),
	CASE(time_wait_rst, "TIME_WAIT", "NOT_SPECIFIED|TCP_RESET", "RST in TIME_WAIT"),
	CASE_UNNAMED(time_wait_paws, KERNEL(6, 16), "TIME_WAIT",
	             "TCP_RFC7323_TW_PAWS|TCP_RFC7323_PAWS", "old timestamp in TIME_WAIT"),
	CASE(close_wait_ack, "CLOSE_WAIT", "NOT_SPECIFIED", "ACK in CLOSE_WAIT"),
	CASE(close_wait_data, "CLOSE_WAIT", "NOT_SPECIFIED", "data in CLOSE_WAIT"),
	CASE(last_ack_ack, "LAST_ACK", "NOT_SPECIFIED", "old ACK in LAST_ACK"),
	CASE_UNNAMED(purge_unread, KERNEL(6, 12), "CLOSE", "QUEUE_PURGE",
	     "disconnect with data not read"),
	CASE_UNNAMED(purge_unaccepted, KERNEL(6, 12), "CLOSE", "QUEUE_PURGE",
	     "data of a connection never accepted"),
	CASE(purge_ofo, "CLOSE", "QUEUE_PURGE|NOT_SPECIFIED|TCP_OFO_QUEUE_PRUNE|SOCKET_CLOSE",
	     "close with data out of order"),
};

const size_t cases_close_count = COUNT(cases_close);
