/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_CONN_H
#define DROPGEN_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "packet.h"

/* One connection between the remote host we play and a socket of the kernel's. */
struct conn {
	int tun;
	int ip;
	uint16_t sport;         /* ours */
	uint16_t dport;         /* the kernel's */

	bool timestamps;        /* negotiate them */
	bool beyond;            /* the kernel's side is in the second namespace */
	bool mapped;            /* an IPv6 socket on the kernel's side */
	int rcvbuf;             /* of the listener, 0: as it is */
	int backlog;

	int listener;           /* descriptors, or -1 */
	int fd;
	uint32_t snd_nxt;       /* our next sequence number */
	uint32_t rcv_nxt;       /* the kernel's next one */
	uint32_t edge;          /* the right edge of the kernel's window */
	uint16_t window;        /* the last window it offered */
	uint32_t tsval;
	uint32_t tsecr;
};

void conn_init(struct conn *c, int tun, int ip, uint16_t sport, uint16_t dport);

/* Each returns 0 or a text that says what failed. */
const char *conn_listen(struct conn *c);
const char *conn_syn(struct conn *c);
const char *conn_open(struct conn *c);
const char *conn_send(struct conn *c, size_t n);
const char *conn_connect(struct conn *c);

/* The address of the remote host or of the kernel's side; its length. */
socklen_t conn_address(const struct conn *c, struct sockaddr_storage *ss, bool remote,
                       uint16_t port);

/* A segment of this connection with what would be right in it. */
struct packet conn_packet(struct conn *c, unsigned int flags, size_t len);

/* Puts p on the wire. */
void conn_inject(struct conn *c, const struct packet *p);

/* The next packet of this connection the kernel sends within ms. */
bool conn_reply(struct conn *c, struct packet *p, int ms);

/* Waits for a reply with all of these flags. */
bool conn_expect(struct conn *c, unsigned int flags, struct packet *p, int ms);

/* Reads what the kernel has sent until it has been quiet for ms. */
void conn_drain(int tun, int ms);

/*
 * Returns when the kernel is through with all that was injected. A write to
 * the device may leave a packet to ksoftirqd; an echo request waits behind it.
 */
void conn_settle(int tun);

/* The same when the packet had to go to this connection's namespace. */
void conn_arrive(struct conn *c);

/* Takes what is in the socket. */
void conn_consume(struct conn *c);

/*
 * Ends the kernel's side with a reset of its own: it frees no packet, while
 * a reset sent to it is itself dropped before 5.18.
 */
void conn_close(struct conn *c);

#endif
