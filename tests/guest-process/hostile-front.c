/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hostile front end as a process inside a guest: takes a disk or NIC that the
 * guest's own kernel does not use, and makes one named attack on its backend.
 *
 *     hostile-front list
 *     hostile-front DEVICE ATTACK [SECONDS]
 *
 * DEVICE is its directory in xenstore, such as device/vbd/51728. Prints one line,
 * "ATTACK: ANSWER ok|WRONG [text]". Exit status: 0 the answer is a right one (see
 * the tables in attack_vbd.c and attack_vif.c), 1 it is not, 2 the attack could
 * not be made. "vanish" attacks end the process as it stands, with status 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest-process/attack.h"
#include "tests/guest-process/front_xen.h"

#define SECONDS 15

struct xen_env {
	struct attack_env env; /* first */
	struct front_xen fx;
};

static void xen_pause(struct attack_env *env, int ms)
{
	front_xen_wait(&((struct xen_env *)env)->fx, ms);
}

static void xen_rm(struct attack_env *env, const char *node)
{
	front_xen_rm(&((struct xen_env *)env)->fx, node);
}

static int list(void)
{
	for (const struct attack *a = attacks_vbd; a->name; a++)
		puts(a->name);
	for (const struct attack *a = attacks_vif; a->name; a++)
		puts(a->name);
	return 0;
}

static int report(const struct attack *a, const struct attack_env *env,
		  enum answer answer)
{
	bool right = a->right & 1u << answer;

	printf("%s: %s %s%s%s\n", a->name, answer_name(answer), right ? "ok" : "WRONG",
	       env->text ? " " : "", env->text ? env->text : "");
	fflush(stdout);
	if (right)
		return 0;
	return answer == ANSWER_SETUP ? 2 : 1;
}

int main(int argc, char **argv)
{
	static struct xen_env x;
	const struct attack *a;
	enum answer answer;
	int status;

	if (argc == 2 && !strcmp(argv[1], "list"))
		return list();
	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: hostile-front list | DEVICE ATTACK [SECONDS]\n");
		return 2;
	}
	a = attack_find(argv[2]);
	if (!a) {
		fprintf(stderr, "hostile-front: no attack '%s'; see 'list'\n", argv[2]);
		return 2;
	}
	if (front_xen_open(&x.fx, argv[1]))
		return 2;
	x.env.os = &x.fx.os;
	x.env.pause = xen_pause;
	x.env.rm = xen_rm;
	x.env.limit_ms =
		1000 * (argc == 4 ? (unsigned int)strtoul(argv[3], NULL, 10) : SECONDS);
	answer = attack_run(&x.env, a);
	status = report(a, &x.env, answer);
	if (answer == ANSWER_LEFT)
		_exit(status); /* the kernel takes pages and ports away, with no word to
				  anybody */
	front_xen_close(&x.fx);
	return status;
}
