/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "filter_words.h"

int32_t
filter_words_number(const char *s, size_t n, int32_t max)
{
	int32_t number = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || number > (max - (s[i] - '0')) / 10)
			return -1;
		number = number * 10 + s[i] - '0';
	}
	return n ? number : -1;
}

/* The common ones of IANA's registry. */
int32_t
filter_words_port(const char *s, size_t n)
{
	static const char names[] =
		"ftp-data 20 ftp 21 ssh 22 telnet 23 smtp 25 domain 53 http 80 kerberos 88 pop3 110 "
		"sunrpc 111 imap 143 imap2 143 bgp 179 ldap 389 https 443 microsoft-ds 445 "
		"submissions 465 rtsp 554 submission 587 ldaps 636 rsync 873 imaps 993 pop3s 995 "
		"socks 1080 openvpn 1194 ms-sql-s 1433 mqtt 1883 nfs 2049 mysql 3306 "
		"ms-wbt-server 3389 sip 5060 xmpp-client 5222 postgresql 5432 amqp 5672 redis 6379 "
		"http-alt 8080 ";
	const char *number, *next;

	for (const char *name = names; *name; name = next + 1) {
		number = strchr(name, ' ') + 1;
		next = strchr(number, ' ');
		if ((size_t)(number - 1 - name) == n && !memcmp(name, s, n))
			return filter_words_number(number, (size_t)(next - number), 65535);
	}
	return filter_words_number(s, n, 65535);
}

unsigned
filter_words_ipv4(const char *s, size_t n, uint8_t to[4])
{
	const char *end = s + n;
	unsigned parts = 0;

	memset(to, 0, 4);
	for (;; s++) {
		const char *dot = memchr(s, '.', (size_t)(end - s));
		int32_t part = filter_words_number(s, (size_t)((dot ? dot : end) - s), 255);

		if (part < 0 || parts == 4)
			return 0;
		to[parts++] = (uint8_t)part;
		if (!dot)
			return parts;
		s = dot;
	}
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hexadecimal digits: how many, or 0. */
static unsigned
take_group(const char *s, const char *end, uint8_t to[2])
{
	unsigned n = 0, value = 0;

	for (; s + n < end && digit(s[n]) >= 0; n++) {
		if (n == 4)
			return 0;
		value = value << 4 | (unsigned)digit(s[n]);
	}
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return n;
}

bool
filter_words_ipv6(const char *s, size_t n, uint8_t to[16])
{
	const char *end = s + n;
	uint8_t bytes[16];
	size_t used = 0, gap = 17; /* 17: there is no "::" */

	if (*s == ':' && (n == 1 || *++s != ':'))
		return false;
	while (s < end) {
		unsigned length;

		if (*s == ':' && gap == 17) {
			gap = used;
			s++;
			continue;
		}
		if (used <= 12 && filter_words_ipv4(s, (size_t)(end - s), bytes + used) == 4) {
			used += 4;
			break;
		}
		if (used == 16 || !(length = take_group(s, end, bytes + used)))
			return false;
		used += 2;
		s += length;
		if (s < end && (*s++ != ':' || s == end))
			return false;
	}
	if (gap == 17 ? used != 16 : used > 14)
		return false;
	gap = gap == 17 ? 16 : gap;
	memset(to, 0, 16);
	memcpy(to, bytes, gap);
	memcpy(to + 16 - (used - gap), bytes + gap, used - gap);
	return true;
}
