/* SPDX-License-Identifier: GPL-2.0-only */
/* conf: values, which section wins, and that every bad line is said with its number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/common/conf.h"
#include "backends/common/log.h"
#include "tests/unit/suite.h"

static const struct conf_key keys[] = {
	{"engine", CONF_CHOICE, "io_uring libaio null", 0, 0},
	{"write-bytes", CONF_SIZE, NULL, 0, UINT64_MAX},
	{"queues", CONF_NUMBER, NULL, 1, 16},
	{"persistent", CONF_BOOL, NULL, 0, 0},
	{"interface", CONF_STRING, NULL, 0, 0},
	{NULL, CONF_STRING, NULL, 0, 0},
};

static char said[4096];

static void keep(enum log_level level, const char *text, void *arg)
{
	const char *colon = strchr(text, ':');

	(void)level;
	(void)arg;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n",
		 colon ? colon + 1 : text);
}

/* Load @text from a file; what was logged, without the path, is in said[]. */
static struct conf *load_bytes(const char *text, size_t len)
{
	char path[] = "/tmp/xylem-conf-XXXXXX";
	int fd = mkstemp(path);
	struct conf *c;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, len), (ssize_t)len);
	close(fd);
	said[0] = 0;
	log_set_sink(keep, NULL);
	c = conf_load(path, keys);
	log_set_sink(NULL, NULL);
	unlink(path);
	return c;
}

static struct conf *load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static void test_values(void)
{
	struct conf *c = load("# comment\n\n[default]\n"
			      "engine = libaio ; why\n"
			      "\twrite-bytes=50M\n" /* indented: a key of its own */
			      "queues: 4\n"
			      "persistent = Off\n"
			      "interface = eth 0");

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(said, "");
	CU_ASSERT_STRING_EQUAL(conf_string(c, NULL, NULL, "engine", "x"), "libaio");
	CU_ASSERT_EQUAL(conf_number(c, NULL, NULL, "write-bytes", 1), 50 << 20);
	CU_ASSERT_EQUAL(conf_number(c, NULL, NULL, "queues", 1), 4);
	CU_ASSERT_FALSE(conf_bool(c, NULL, NULL, "persistent", true));
	CU_ASSERT_STRING_EQUAL(conf_string(c, NULL, NULL, "interface", "x"), "eth 0");
	conf_free(c);
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} cases[] = {
		{"0", true, 0},
		{"4096", true, 4096},
		{"64K", true, 65536},
		{"64k", true, 65536},
		{"2G", true, 2ull << 30},
		{"3T", true, 3ull << 40},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551616", false, 0},
		{"16777215T", true, 16777215ull << 40},
		{"16777216T", false, 0},
		{"K", false, 0},
		{"-1", false, 0},
		{"1.5M", false, 0},
		{"5MB", false, 0},
		{"5 M", false, 0},
		{"0x10", false, 0},
		{"", false, 0},
	};
	char text[128];
	struct conf *c;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "[default]\nwrite-bytes = %s\n",
			 cases[i].text);
		c = load(text);
		CU_ASSERT_EQUAL(c != NULL, cases[i].good);
		CU_ASSERT_EQUAL(conf_number(c, NULL, NULL, "write-bytes", 0),
				cases[i].value);
		conf_free(c);
	}
}

static void test_most_specific(void)
{
	static const char *const xvdb[] = {"xvdb", "51728", NULL};
	static const char *const xvdc[] = {"xvdc", "51744", NULL};
	struct conf *c =
		load("[guest web1 device xvdb]\nengine = null\n"
		     "[guest web1 device 51728]\nqueues = 2\n"
		     "[default]\nengine = libaio\nqueues = 8\n"
		     "[guest web1]\nengine = io_uring\nwrite-bytes = 1K\n"
		     "[guest web1]\npersistent = yes\n"); /* a section may come again */

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(conf_string(c, "web1", xvdb, "engine", "x"), "null");
	CU_ASSERT_STRING_EQUAL(conf_string(c, "web1", xvdc, "engine", "x"), "io_uring");
	CU_ASSERT_STRING_EQUAL(conf_string(c, "web1", NULL, "engine", "x"), "io_uring");
	CU_ASSERT_STRING_EQUAL(conf_string(c, "web2", xvdb, "engine", "x"), "libaio");
	CU_ASSERT_STRING_EQUAL(conf_string(c, NULL, xvdb, "engine", "x"), "libaio");
	CU_ASSERT_EQUAL(conf_number(c, "web1", xvdb, "queues", 0), 2);
	CU_ASSERT_EQUAL(conf_number(c, "web1", xvdc, "queues", 0), 8);
	CU_ASSERT_EQUAL(conf_number(c, "web1", xvdb, "write-bytes", 0), 1024);
	CU_ASSERT_EQUAL(conf_number(c, "web2", xvdb, "write-bytes", 77), 77);
	CU_ASSERT_TRUE(conf_bool(c, "web1", xvdb, "persistent", false));
	CU_ASSERT_PTR_NULL(conf_string(c, "web1", xvdb, "interface", NULL));
	conf_free(c);
	CU_ASSERT_EQUAL(conf_number(NULL, "web1", xvdb, "queues", 3), 3);
}

static void test_names(void)
{
	static const char *const xvda[] = {"xvda", NULL};
	struct conf *c =
		load("[guest my web server device xvda]\nqueues = 2\n"
		     "[guest \"the device store\"]\nqueues = 3\n"
		     "[ guest \"the device store\" device xvda ]  # blanks\nqueues = 4\n"
		     "[guest "
		     "a-name-that-is-longer-than-the-fifty-bytes-which-libinih-keeps-1]\n"
		     "queues = 5\n"
		     "[guest "
		     "a-name-that-is-longer-than-the-fifty-bytes-which-libinih-keeps-2]\n"
		     "queues = 6\n"
		     "[guest default]\nqueues = 7\n");

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(conf_number(c, "my web server", xvda, "queues", 0), 2);
	CU_ASSERT_EQUAL(conf_number(c, "my web server", NULL, "queues", 0), 0);
	CU_ASSERT_EQUAL(conf_number(c, "the device store", NULL, "queues", 0), 3);
	CU_ASSERT_EQUAL(conf_number(c, "the device store", xvda, "queues", 0), 4);
	CU_ASSERT_EQUAL(
		conf_number(c,
			    "a-name-that-is-longer-than-the-fifty-bytes-which-libinih-"
			    "keeps-1",
			    NULL, "queues", 0),
		5);
	CU_ASSERT_EQUAL(
		conf_number(c,
			    "a-name-that-is-longer-than-the-fifty-bytes-which-libinih-"
			    "keeps-2",
			    NULL, "queues", 0),
		6);
	CU_ASSERT_EQUAL(conf_number(c, "default", NULL, "queues", 0), 7);
	CU_ASSERT_EQUAL(conf_number(c, "other", NULL, "queues", 1), 1);
	conf_free(c);
}

static void test_errors(void)
{
	struct conf *c = load("engine = null\n" /* 1: no section */
			      "[default]\n"
			      "motor = null\n"       /* 3 */
			      "engine = diesel\n"    /* 4 */
			      "queues = 17\n"        /* 5 */
			      "queues = 0\n"         /* 6 */
			      "persistent = maybe\n" /* 7 */
			      "just words\n"         /* 8 */
			      "write-bytes = 5\n"
			      "write-bytes = 6\n"      /* 10 */
			      "[gest web1]\n"          /* 11 */
			      "[guest web1\n"          /* 12 */
			      "[guest ]\n"             /* 13 */
			      "[guest x device ]\n"    /* 14 */
			      "[guest x] queues = 1\n" /* 15 */
			      "[guest \"x]\n"          /* 16 */
			      "interface =\n"          /* 17: no valid section */
			      "[default]\n"
			      "interface =\n"); /* 19 */

	CU_ASSERT_PTR_NULL(c);
	CU_ASSERT_STRING_EQUAL(said, "1: 'engine' stands in no valid section\n"
				     "3: unknown key 'motor'\n"
				     "4: 'engine' is not one of: io_uring libaio null\n"
				     "5: 'queues' must be between 1 and 16\n"
				     "6: 'queues' must be between 1 and 16\n"
				     "7: 'persistent' is neither yes nor no: 'maybe'\n"
				     "8: neither a section nor 'key = value'\n"
				     "10: 'write-bytes' is given twice\n"
				     "11: unknown section: want [default], [guest NAME] "
				     "or [guest NAME device DEVICE]\n"
				     "12: a section is not closed by ']'\n"
				     "13: unknown section: want [default], [guest NAME] "
				     "or [guest NAME device DEVICE]\n"
				     "14: unknown section: want [default], [guest NAME] "
				     "or [guest NAME device DEVICE]\n"
				     "15: a section is not closed by ']'\n"
				     "16: unknown section: want [default], [guest NAME] "
				     "or [guest NAME device DEVICE]\n"
				     "17: 'interface' stands in no valid section\n"
				     "19: 'interface' has no value\n");
}

static void test_strange_files(void)
{
	char longer[600], text[700];
	struct conf *c;

	c = load("");
	CU_ASSERT_PTR_NOT_NULL(c);
	conf_free(c);
	c = load("\xef\xbb\xbf[default]\r\nqueues = 3\r\n");
	CU_ASSERT_EQUAL(conf_number(c, NULL, NULL, "queues", 0), 3);
	conf_free(c);
	/* too long a line is refused whole, and the next is counted right */
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	snprintf(text, sizeof(text), "[default]\ninterface = %s\nqueues = 99\n", longer);
	CU_ASSERT_PTR_NULL(load(text));
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "2: longer than"));
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "3: 'queues' must be"));
	CU_ASSERT_PTR_NULL(load_bytes("[default]\nqueues = 3\0\nqueues = x\n", 33));
	/* no file is an empty configuration; a directory is not a file */
	said[0] = 0;
	log_set_sink(keep, NULL);
	c = conf_load("/nonexistent/blkback.conf", keys);
	CU_ASSERT_PTR_NOT_NULL(c);
	CU_ASSERT_STRING_EQUAL(said, "");
	conf_free(c);
	CU_ASSERT_PTR_NULL(conf_load("/", keys));
	CU_ASSERT_STRING_NOT_EQUAL(said, "");
	log_set_sink(NULL, NULL);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"values", test_values},
		{"sizes", test_sizes},
		{"the most specific wins", test_most_specific},
		{"guests' names", test_names},
		{"every bad line is said", test_errors},
		{"strange files", test_strange_files},
		CU_TEST_INFO_NULL,
	};

	return suite_main("conf", tests);
}
