/* SPDX-License-Identifier: GPL-2.0-only */
/* log: what a line looks like, what a guest cannot forge, and the guest limit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/common/log.h"
#include "tests/unit/suite.h"

#define SECOND 1000000000ull

static char last[LOG_LINE_MAX];
static unsigned int lines;

static void keep(enum log_level level, const char *text, void *arg)
{
	(void)level;
	(void)arg;
	snprintf(last, sizeof(last), "%s", text);
	lines++;
}

/* What @level and @text look like on a stderr that is, or is not, the journal's. */
static void to_stderr(bool journal, char *buf, size_t size)
{
	char stream[64];
	struct stat st;
	int pipefd[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	CU_ASSERT_FATAL(saved >= 0 && !pipe(pipefd));
	dup2(pipefd[1], STDERR_FILENO);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + !journal);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("blkback", LOG_LEVEL_INFO);
	log_warn("guest %d vbd %d: %s", 3, 51712, "two\nlines\x1b[2J\xc2\x9b\xc3\xa4");
	log_debug("below the level");
	n = read(pipefd[0], buf, size - 1);
	buf[n > 0 ? n : 0] = 0;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipefd[0]);
	close(pipefd[1]);
	unsetenv("JOURNAL_STREAM");
}

static void test_stderr(void)
{
	char buf[2048];

	to_stderr(false, buf, sizeof(buf));
	CU_ASSERT_STRING_EQUAL(buf,
			       "blkback: guest 3 vbd 51712: two?lines?[2J??\xc3\xa4\n");
	to_stderr(true, buf, sizeof(buf));
	CU_ASSERT_STRING_EQUAL(
		buf, "<4>blkback: guest 3 vbd 51712: two?lines?[2J??\xc3\xa4\n");
}

static void test_sink_and_level(void)
{
	char longer[2 * LOG_LINE_MAX];

	log_init("test", LOG_LEVEL_WARN);
	log_set_sink(keep, NULL);
	lines = 0;
	log_info("not this");
	CU_ASSERT_EQUAL(lines, 0);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	log_error("%s", longer);
	CU_ASSERT_EQUAL(lines, 1);
	CU_ASSERT_EQUAL(strlen(last), LOG_LINE_MAX - 1);
	log_set_sink(NULL, NULL);
}

static void test_limit_clock(void)
{
	struct log_limit l = {0};
	unsigned long long now = 1000 * SECOND;
	unsigned int dropped, i;

	for (i = 0; i < LOG_GUEST_BURST; i++)
		CU_ASSERT_TRUE(log_limit_take(&l, now, &dropped));
	for (i = 0; i < 7; i++)
		CU_ASSERT_FALSE(log_limit_take(&l, now + SECOND, &dropped));
	/* ten a minute: one every six seconds, no more */
	now += 6 * SECOND;
	CU_ASSERT_TRUE(log_limit_take(&l, now, &dropped));
	CU_ASSERT_EQUAL(dropped, 7);
	CU_ASSERT_FALSE(log_limit_take(&l, now, &dropped));
	now += 60 * SECOND;
	for (i = 0; i < LOG_GUEST_PER_MINUTE; i++)
		CU_ASSERT_TRUE(log_limit_take(&l, now, &dropped));
	CU_ASSERT_FALSE(log_limit_take(&l, now, &dropped));
	/* a long silence gives back the burst, not more */
	now += 86400 * SECOND;
	for (i = 0; i < LOG_GUEST_BURST; i++)
		CU_ASSERT_TRUE(log_limit_take(&l, now, &dropped));
	CU_ASSERT_FALSE(log_limit_take(&l, now, &dropped));
	/* a clock that went back does no harm */
	CU_ASSERT_FALSE(log_limit_take(&l, now - 100 * SECOND, &dropped));
}

static void test_limit_says(void)
{
	struct log_limit l = {0};
	unsigned int i;

	log_init("test", LOG_LEVEL_INFO);
	log_set_sink(keep, NULL);
	lines = 0;
	for (i = 0; i < LOG_GUEST_BURST + 5; i++)
		log_guest(&l, LOG_LEVEL_WARN, "guest 1: %u", i);
	CU_ASSERT_EQUAL(lines, LOG_GUEST_BURST);
	CU_ASSERT_EQUAL(l.dropped, 5);
	/* six seconds later, as the limiter sees it */
	l.last_ns -= 6 * SECOND;
	log_guest(&l, LOG_LEVEL_WARN, "guest 1: again");
	CU_ASSERT_EQUAL(lines, LOG_GUEST_BURST + 1);
	CU_ASSERT_STRING_EQUAL(last,
			       "guest 1: again (5 lines like this were left out before)");
	log_set_sink(NULL, NULL);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"a line on stderr and in the journal", test_stderr},
		{"sink, level, length", test_sink_and_level},
		{"the guest limit over time", test_limit_clock},
		{"what was left out is said", test_limit_says},
		CU_TEST_INFO_NULL,
	};

	return suite_main("log", tests);
}
