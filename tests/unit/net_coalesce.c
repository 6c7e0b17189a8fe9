/* SPDX-License-Identifier: GPL-2.0-only */
/* When a queue lets packets gather, and when it does not. */
#include "tests/unit/suite.h"

#include "backends/netback/coalesce.h"

#define PACKET 65226u

static uint64_t t;

static uint64_t test_clock(void)
{
	return t;
}

/* A wake-up after @ns that brings @n packets of @bytes; the wait that follows. */
static uint64_t wake(struct coalesce *c, uint64_t ns, unsigned int n, uint32_t bytes)
{
	t += ns;
	while (n--)
		coalesce_packet(c, bytes);
	return coalesce_sleep(c, test_clock);
}

static void stream(struct coalesce *c)
{
	int i;

	for (i = 1; i < COALESCE_AFTER; i++)
		CU_ASSERT_EQUAL(wake(c, 50000, 1, PACKET), 0);
	CU_ASSERT_EQUAL(wake(c, 50000, 1, PACKET), COALESCE_NS);
}

static void test_stream(void)
{
	struct coalesce c = {0};
	int i;

	t = 1000;
	stream(&c);
	for (i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(wake(&c, COALESCE_NS, 4, PACKET), COALESCE_NS);
	/* Packets of the link's size, when there are enough of them. */
	for (i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(wake(&c, COALESCE_NS, 80, 1500), COALESCE_NS);
}

static void test_woken_before(void)
{
	struct coalesce c = {0};

	t = 1000;
	stream(&c);
	/* An event of the guest's; a packet that was looked for all the same. */
	CU_ASSERT_EQUAL(wake(&c, 30000, 0, 0), COALESCE_NS - 30000);
	CU_ASSERT_EQUAL(wake(&c, 30000, 1, PACKET), COALESCE_NS - 60000);
	CU_ASSERT_EQUAL(wake(&c, COALESCE_NS - 60000, 1, PACKET), COALESCE_NS);
}

/* It ends with the stream, and the next one begins like the first. */
static void test_end(void)
{
	struct coalesce c = {0};
	int i;

	t = 1000;
	stream(&c);
	CU_ASSERT_EQUAL(wake(&c, COALESCE_NS, 0, 0), 0);
	CU_ASSERT_EQUAL(c.until, 0);
	CU_ASSERT_EQUAL(wake(&c, COALESCE_CLOSE, 1, PACKET), 0);
	for (i = 0; i < COALESCE_PAUSE; i++)
		CU_ASSERT_EQUAL(wake(&c, 50000, 1, PACKET), 0);
	stream(&c);
}

/* One message, one answer: a wait brings the one packet that waited. */
static void test_request_response(void)
{
	struct coalesce c = {0};
	int i;

	t = 1000;
	stream(&c);
	CU_ASSERT_EQUAL(wake(&c, COALESCE_NS, 1, PACKET), 0);
	for (i = 0; i < COALESCE_PAUSE; i++)
		CU_ASSERT_EQUAL(wake(&c, 50000, 1, PACKET), 0);
}

static void test_never(void)
{
	struct coalesce c = {0};
	int i;

	t = 1000;
	for (i = 0; i < 200; i++) /* far apart */
		CU_ASSERT_EQUAL(wake(&c, COALESCE_CLOSE, 1, PACKET), 0);
	for (i = 0; i < 200; i++) /* little; the bytes of two wake-ups do not add up */
		CU_ASSERT_EQUAL(wake(&c, 20000, 1, 1500), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a stream", test_stream},
		{"woken before", test_woken_before},
		{"a stream's end", test_end},
		{"requests and responses", test_request_response},
		{"neither slow nor small", test_never},
		CU_TEST_INFO_NULL,
	};

	return suite_main("coalesce", tests);
}
