/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_NET_H
#define DROPGEN_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define KERNEL(a, b) ((a) * 1000 + (b))

extern const char net_tun[];
extern bool net_has_ip6;

/*
 * A network namespace of our own, or the one we are in, with lo up; its inode,
 * 0 when /proc does not say.
 */
unsigned long long net_enter(bool stay);

/* A TUN device in it, 10.77.0.1/24 and fd77::1/64; its descriptor, or -errno. */
int net_tun_open(void);

/*
 * Another one, 10.77.3.1/24 and fd77:0:0:3::1/64, that is told of GSO with each
 * packet, or that receives with NAPI; its descriptor, or -errno.
 */
enum net_tun_kind { NET_TUN_VNET, NET_TUN_NAPI };

int net_tun_more(const char *name, enum net_tun_kind kind);

/* Bring a device up; give it an address with a /24 or /64, which is in use on return. */
void net_up(const char *name);
void net_set_ip4(const char *name, const char *address);
int net_set_ip6(const char *name, const char *address);

/* The far end's address and the kernel's. */
void net_addresses(int ip, uint8_t remote[16], uint8_t local[16]);

/* For bind() and connect(): fills it in with a port in host byte order; its length. */
socklen_t net_socket_address(struct sockaddr_storage *, int ip, const uint8_t address[16],
                             uint16_t port);

/* The running kernel as KERNEL(major, minor). */
int net_kernel(void);

/* The number behind these two; Debian's and Ubuntu's names have 0 there. */
int net_kernel_stable(void);

/* Write a /proc/sys file, whose path is kept; 0 or -errno. Then put all back as they were. */
int net_sysctl(const char *path, const char *value);
void net_sysctl_restore(void);

/* A counter of /proc/net/snmp or netstat of this namespace, -1 when it is not there. */
long long net_counter(const char *path, const char *group, const char *name);

/* The same of /proc/net/snmp6. */
long long net_counter6(const char *name);

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
