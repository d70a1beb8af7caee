/* SPDX-License-Identifier: MIT */
/*
 * Devices, routes and queueing disciplines through rtnetlink. The veth devices
 * have no ARP, so the kernel sends to their own address, and the ends of the
 * pair that crosses the namespaces have the same one.
 */
#define _GNU_SOURCE

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link.h"
#include "net.h"
#include "netlink.h"

/* <linux/veth.h>; <linux/if_arp.h> and its kin collide with <net/if.h>. */
enum { PEER = 1, LINKLAYER_ETHERNET = 1 };

const char link_near[] = "dropgen1";

static const char far[] = "dropgen2", first[] = "dropgen4", second[] = "dropgen5",
                  bridge[] = "dropgen6";
static const uint8_t same[6] = { 2, 0x77, 0, 0, 0, 1 }, other[6] = { 2, 0x77, 0, 0, 0, 2 };
static int here = -1, there = -1;

static int
route_send(struct netlink *b)
{
	netlink_end(b);
	return netlink_send(b, NETLINK_ROUTE);
}

static void
put_link(struct netlink *b, const char *name, const uint8_t address[6])
{
	netlink_put_text(b, IFLA_IFNAME, name);
	if (address)
		netlink_put(b, IFLA_ADDRESS, address, 6);
}

static int
make_pair(const char *one, const char *two, const uint8_t *address, int peer_netns)
{
	struct ifinfomsg info = { .ifi_flags = IFF_NOARP, .ifi_change = IFF_NOARP };
	struct netlink b = { 0 };
	size_t at, data, peer;

	netlink_begin(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &info, sizeof(info));
	put_link(&b, one, same);
	at = netlink_nest(&b, IFLA_LINKINFO);
	netlink_put_text(&b, IFLA_INFO_KIND, "veth");
	data = netlink_nest(&b, IFLA_INFO_DATA);
	peer = netlink_nest(&b, PEER);
	netlink_append(&b, &info, sizeof(info));
	put_link(&b, two, address);
	if (peer_netns >= 0)
		netlink_put32(&b, IFLA_NET_NS_FD, (uint32_t)peer_netns);
	netlink_unnest(&b, peer);
	netlink_unnest(&b, data);
	netlink_unnest(&b, at);
	return route_send(&b);
}

static int
make_bridge(const char *name)
{
	struct ifinfomsg info = { 0 };
	struct netlink b = { 0 };
	size_t at;

	netlink_begin(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &info, sizeof(info));
	put_link(&b, name, NULL);
	at = netlink_nest(&b, IFLA_LINKINFO);
	netlink_put_text(&b, IFLA_INFO_KIND, "bridge");
	netlink_unnest(&b, at);
	return route_send(&b);
}

static int
make_port(const char *name, const char *of)
{
	struct ifinfomsg info = { .ifi_index = (int)if_nametoindex(name) };
	struct netlink b = { 0 };

	netlink_begin(&b, RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	netlink_put32(&b, IFLA_MASTER, if_nametoindex(of));
	return route_send(&b);
}

static void
unmake(const char *name)
{
	struct ifinfomsg info = { .ifi_index = (int)if_nametoindex(name) };
	struct netlink b = { 0 };

	if (!info.ifi_index)
		return;
	netlink_begin(&b, RTM_DELLINK, NLM_F_ACK, &info, sizeof(info));
	route_send(&b);
}

/* Nothing is sent again for so long, while a rule is there that drops it. */
static void
put_patience(struct netlink *b)
{
	size_t at = netlink_nest(b, RTA_METRICS);

	netlink_put32(b, RTAX_LOCK, 1u << RTAX_RTO_MIN);
	netlink_put32(b, RTAX_RTO_MIN, 60000);
	netlink_unnest(b, at);
}

static int
add_route(int ip, const char *net, unsigned int length, const char *device)
{
	struct rtmsg route = {
		.rtm_family = ip == 4 ? AF_INET : AF_INET6,
		.rtm_dst_len = (uint8_t)length,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = ip == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct netlink b = { 0 };
	uint8_t address[16];

	if (ip == 6 && !net_has_ip6)
		return 0;
	inet_pton(route.rtm_family, net, address);
	netlink_begin(&b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK, &route, sizeof(route));
	netlink_put(&b, RTA_DST, address, ip == 4 ? 4 : 16);
	netlink_put32(&b, RTA_OIF, if_nametoindex(device));
	put_patience(&b);
	return route_send(&b);
}

void
link_enter(void)
{
	if (setns(there, CLONE_NEWNET) < 0)
		die("enter the second network namespace:");
}

void
link_leave(void)
{
	if (setns(here, CLONE_NEWNET) < 0)
		die("leave the second network namespace:");
}

unsigned long long
link_netns(void)
{
	struct stat st;

	return fstat(there, &st) < 0 ? 0 : (unsigned long long)st.st_ino;
}

static int
open_netns(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int
make_netns(void)
{
	here = open_netns();
	if (here < 0)
		return -errno;
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	there = open_netns();
	link_leave();
	return there < 0 ? -1 : 0;
}

static void
set_up_far(void)
{
	link_enter();
	net_up("lo");
	net_up(far);
	net_set_ip4(far, "10.77.1.2");
	if (net_has_ip6)
		net_set_ip6(far, "fd77:0:0:1::2");
	add_route(4, "10.77.0.0", 24, far);
	add_route(6, "fd77::", 64, far);
	link_leave();
}

static const char *
link_make(void)
{
	if (make_netns() < 0)
		return "no second network namespace";
	if (make_pair(link_near, far, same, there) < 0)
		return "no veth devices";
	net_up(link_near);
	set_up_far();
	net_set_ip4(link_near, "10.77.1.1");
	if (net_has_ip6)
		net_set_ip6(link_near, "fd77:0:0:1::1");
	add_route(4, "10.77.1.2", 32, link_near);
	add_route(6, "fd77:0:0:1::2", 128, link_near);
	return NULL;
}

const char *
link_open(void)
{
	static const char *cause;
	static bool made;

	if (!made)
		cause = link_make();
	made = true;
	return cause;
}

void
link_forward(void)
{
	net_sysctl("/proc/sys/net/ipv4/ip_forward", "1");
	net_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1");
}

void
link_addresses(int ip, uint8_t far_end[16], uint8_t near_end[16])
{
	int family = ip == 4 ? AF_INET : AF_INET6;

	memset(far_end, 0, 16);
	memset(near_end, 0, 16);
	inet_pton(family, ip == 4 ? "10.77.1.2" : "fd77:0:0:1::2", far_end);
	inet_pton(family, ip == 4 ? "10.77.1.1" : "fd77:0:0:1::1", near_end);
}

const char *
link_pair(bool with_bridge)
{
	if (make_pair(first, second, other, -1) < 0)
		return "no veth devices";
	if (with_bridge && (make_bridge(bridge) < 0 || make_port(second, bridge) < 0))
		return "no bridge in this kernel";
	if (with_bridge) {
		net_up(bridge);
		net_up(second);
	}
	net_up(first);
	if (add_route(4, "10.77.2.0", 24, first) < 0
	    || add_route(6, "fd77:0:0:2::", 64, first) < 0)
		return "no route by a veth device";
	return NULL;
}

void
link_unpair(void)
{
	unmake(bridge);
	unmake(first);
}

/* A bucket with room for burst bytes that fills by a byte a second. */
static void
put_bucket(struct netlink *b, uint32_t burst)
{
	struct tc_tbf_qopt options = {
		.rate = { .rate = 1, .linklayer = LINKLAYER_ETHERNET },
		.limit = 1000000,
		.buffer = burst,
	};
	size_t at;

	netlink_put_text(b, TCA_KIND, "tbf");
	at = netlink_nest(b, TCA_OPTIONS);
	netlink_put(b, TCA_TBF_PARMS, &options, sizeof(options));
	netlink_put32(b, TCA_TBF_BURST, burst);
	netlink_unnest(b, at);
}

static void
put_losses(struct netlink *b)
{
	struct tc_netem_qopt options = { .limit = 1000, .loss = UINT32_MAX };

	netlink_put_text(b, TCA_KIND, "netem");
	netlink_put(b, TCA_OPTIONS, &options, sizeof(options));
}

const char *
link_queue(const char *device, enum link_queue kind)
{
	struct tcmsg message = {
		.tcm_ifindex = (int)if_nametoindex(device),
		.tcm_parent = TC_H_ROOT,
	};
	struct netlink b = { 0 };

	netlink_begin(&b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &message,
	              sizeof(message));
	if (kind == QUEUE_LOSES)
		put_losses(&b);
	else
		put_bucket(&b, kind == QUEUE_HOLDS ? 80 : 20);
	if (route_send(&b) == 0)
		return NULL;
	return kind == QUEUE_LOSES ? "no netem in this kernel"
	                           : "no token bucket (tbf) in this kernel";
}

void
link_unqueue(const char *device)
{
	struct tcmsg message = {
		.tcm_ifindex = (int)if_nametoindex(device),
		.tcm_parent = TC_H_ROOT,
	};
	struct netlink b = { 0 };

	netlink_begin(&b, RTM_DELQDISC, NLM_F_ACK, &message, sizeof(message));
	route_send(&b);
}
