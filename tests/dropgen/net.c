/* SPDX-License-Identifier: MIT */
/*
 * The namespace, set up by ioctl alone so that it also runs where there is
 * nothing but a shell. A TUN device has no ARP, so the kernel skips duplicate
 * address detection and its v6 address is usable at once.
 */
#define _GNU_SOURCE

#include <linux/if_tun.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

const char net_tun[] = "dropgen0";
bool net_has_ip6;

/* struct in6_ifreq of <linux/ipv6.h>, which collides with <netinet/in.h>. */
struct ifreq6 {
	struct in6_addr addr;
	uint32_t prefix;
	int ifindex;
};

void
die(const char *format, ...)
{
	int error = errno;
	size_t n = strlen(format);
	va_list ap;

	fputs("dropgen: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	if (n && format[n - 1] == ':')
		fprintf(stderr, " %s", strerror(error));
	fputc('\n', stderr);
	exit(2);
}

/* The request is an int in musl and an unsigned long in glibc. */
static int
control(int fd, unsigned long request, void *argument)
{
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

static int
open_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("open a socket of family %d:", family);
	return fd;
}

void
net_up(const char *name)
{
	struct ifreq req = { 0 };
	int fd = open_socket(AF_INET);

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	if (control(fd, SIOCGIFFLAGS, &req) < 0)
		die("read the flags of %s:", name);
	req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
	if (control(fd, SIOCSIFFLAGS, &req) < 0)
		die("bring %s up:", name);
	close(fd);
}

static void
set_ip4(const char *name, unsigned long request, const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct ifreq req = { 0 };
	int fd = open_socket(AF_INET);

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	inet_pton(AF_INET, address, &sin.sin_addr);
	memcpy(&req.ifr_addr, &sin, sizeof(sin));
	if (control(fd, request, &req) < 0)
		die("give %s the address %s:", name, address);
	close(fd);
}

void
net_set_ip4(const char *name, const char *address)
{
	set_ip4(name, SIOCSIFADDR, address);
	set_ip4(name, SIOCSIFNETMASK, "255.255.255.0");
}

static int
set_ip6(const char *name, const char *address)
{
	struct ifreq6 req = { .prefix = 64, .ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;

	if (fd < 0)
		return -errno;
	inet_pton(AF_INET6, address, &req.addr);
	if (control(fd, SIOCSIFADDR, &req) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * The address is in use once the kernel's own work queue has added its route:
 * until then what is sent to it leaves through the device.
 */
static bool
answers6(const char *address)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int fd = open_socket(AF_INET6);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char byte;
	bool ok;

	inet_pton(AF_INET6, address, &to.sin6_addr);
	ok = bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0
	  && sendto(fd, "?", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1
	  && poll(&pfd, 1, 50) == 1
	  && recv(fd, &byte, 1, 0) == 1;
	close(fd);
	return ok;
}

static void
wait_for6(const char *address)
{
	struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < 200 && !answers6(address); i++)
		nanosleep(&pause, NULL);
}

int
net_set_ip6(const char *name, const char *address)
{
	int ret = set_ip6(name, address);

	if (ret == 0)
		wait_for6(address);
	return ret;
}

unsigned long long
net_enter(bool stay)
{
	struct stat st;

	if (!stay && unshare(CLONE_NEWNET) < 0)
		die("make a network namespace (root is needed):");
	net_up("lo");
	return stat("/proc/self/ns/net", &st) < 0 ? 0 : (unsigned long long)st.st_ino;
}

static int
open_tun(void)
{
	static const char node[] = "/tmp/.dropgen-tun";
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mknod(node, S_IFCHR | 0600, makedev(10, 200)) < 0)
		return -1;
	fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	unlink(node);
	return fd;
}

static int
make_tun(const char *name, int flags)
{
	struct ifreq req = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags) };
	int fd = open_tun(), error;

	if (fd < 0)
		return -errno;
	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	if (control(fd, TUNSETIFF, &req) < 0) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int
net_tun_open(void)
{
	int fd = make_tun(net_tun, 0);

	if (fd < 0)
		return fd;
	net_set_ip4(net_tun, "10.77.0.1");
	net_up(net_tun);
	net_has_ip6 = net_set_ip6(net_tun, "fd77::1") == 0;
	return fd;
}

int
net_tun_more(const char *name, enum net_tun_kind kind)
{
	int fd = make_tun(name, kind == NET_TUN_VNET ? IFF_VNET_HDR : IFF_NAPI);

	if (fd < 0)
		return fd;
	net_set_ip4(name, "10.77.3.1");
	net_up(name);
	if (net_has_ip6)
		net_set_ip6(name, "fd77:0:0:3::1");
	return fd;
}

void
net_addresses(int ip, uint8_t remote[16], uint8_t local[16])
{
	memset(remote, 0, 16);
	memset(local, 0, 16);
	inet_pton(ip == 4 ? AF_INET : AF_INET6, ip == 4 ? "10.77.0.2" : "fd77::2", remote);
	inet_pton(ip == 4 ? AF_INET : AF_INET6, ip == 4 ? "10.77.0.1" : "fd77::1", local);
}

socklen_t
net_socket_address(struct sockaddr_storage *ss, int ip, const uint8_t address[16],
                   uint16_t port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (ip == 4) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		memcpy(&sin->sin_addr, address, 4);
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	memcpy(&sin6->sin6_addr, address, 16);
	return sizeof(*sin6);
}

int
net_kernel(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return KERNEL(major, minor);
}

int
net_kernel_stable(void)
{
	struct utsname name;
	int stable = 0;

	uname(&name);
	sscanf(name.release, "%*d.%*d.%d", &stable);
	return stable;
}

static int
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static struct {
	const char *path;
	char value[32];
} changed[8];
static size_t changes;

/* Whatever was there before the first change. */
static void
remember(const char *path)
{
	int fd;

	for (size_t i = 0; i < changes; i++)
		if (!strcmp(changed[i].path, path))
			return;
	fd = changes < sizeof(changed) / sizeof(*changed) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	memset(changed[changes].value, 0, sizeof(changed->value));
	if (read(fd, changed[changes].value, sizeof(changed->value) - 1) > 0)
		changed[changes++].path = path;
	close(fd);
}

int
net_sysctl(const char *path, const char *value)
{
	remember(path);
	return write_text(path, value);
}

void
net_sysctl_restore(void)
{
	while (changes) {
		changes--;
		write_text(changed[changes].path, changed[changes].value);
	}
}

/* Two lines a group: "Tcp: Name Name ..." and "Tcp: 1 2 ...". */
long long
net_counter(const char *path, const char *group, const char *name)
{
	static char names[8192], values[8192];
	FILE *file = fopen(path, "re");
	long long found = -1;

	if (!file)
		return -1;
	while (found < 0 && fgets(names, sizeof(names), file)
	       && fgets(values, sizeof(values), file)) {
		char *n, *v, *rest_n, *rest_v;

		if (strncmp(names, group, strlen(group)) || names[strlen(group)] != ':')
			continue;
		n = strtok_r(names, " \n", &rest_n);
		v = strtok_r(values, " \n", &rest_v);
		while (n && v && strcmp(n, name)) {
			n = strtok_r(NULL, " \n", &rest_n);
			v = strtok_r(NULL, " \n", &rest_v);
		}
		if (n && v)
			found = atoll(v);
	}
	fclose(file);
	return found;
}

long long
net_counter6(const char *name)
{
	FILE *file = fopen("/proc/net/snmp6", "re");
	long long found = -1, value;
	char at[64];

	if (!file)
		return -1;
	while (found < 0 && fscanf(file, "%63s %lld", at, &value) == 2)
		if (!strcmp(at, name))
			found = value;
	fclose(file);
	return found;
}
