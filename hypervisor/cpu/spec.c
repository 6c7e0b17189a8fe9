// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mitigations of speculation that are chosen at start-up (retpolines, return thunks and
 * masked indices are built in; XPTI is pv/xpti.c): IBPB between domains, VERW on the way to
 * a guest, enhanced IBRS. All of a PV guest runs in ring 3: SMEP keeps what it put into the
 * return stack buffer from being executed by us, and a CPU without SMEP is older than the
 * attack needs.
 */
#include "hypervisor/cpu/spec.h"
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"

#define MSR_EFER           0xc0000080
#define EFER_AUTO_IBRS     (1ull << 21)
#define SPEC_CTRL_IBRS     1ull
#define ARCH_CAPS_RDCL_NO  1ull

#define F_RTM        (5 * 32 + 11)
#define F_IBPB       (8 * 32 + 12)
#define F_MD_CLEAR   (9 * 32 + 10)
#define F_IBRSB      (9 * 32 + 26)
#define F_VERW_CLEAR (11 * 32 + 5)
#define F_AUTO_IBRS  (11 * 32 + 8)
#define F_EIBRS      (16 * 32 + 1)
#define F_MDS_NO     (16 * 32 + 5)
#define F_TAA_NO     (16 * 32 + 8)
#define F_FB_CLEAR   (16 * 32 + 17)
#define F_RFDS_CLEAR (16 * 32 + 28)
#define F_TSA_SQ_NO  (18 * 32 + 1)
#define F_TSA_L1_NO  (18 * 32 + 2)

bool spec_ibpb, spec_verw;
static bool ibrs;
static int opt_ibpb = -1, opt_verw = -1, opt_ibrs = -1;
static int opt_l1tf_dom0, opt_l1tf_domu = -1;

struct spec_word {
	const char *name;
	int *var; /* NULL: no effect here */
};
static const struct spec_word spec_ctrl_words[] = {
	{"ibpb", &opt_ibpb}, {"ibpb-entry", NULL}, {"md-clear", &opt_verw}, {"verw", &opt_verw},
	{"ibrs", &opt_ibrs}, {"stibp", NULL}, {"ssbd", NULL}, {"psfd", NULL}, {"rsb", NULL},
	{"msr-sc", NULL}, {"eager-fpu", NULL}, {"l1d-flush", NULL}, {"branch-harden", NULL},
	{"srb-lock", NULL}, {"unpriv-mmio", NULL}, {"gds-mit", NULL}, {"div-scrub", NULL},
	{"bhb-entry", NULL}, {"bti-thunk", NULL}, {"pv", NULL}, {"hvm", NULL}, {"xen", NULL},
	{NULL, NULL},
};
static const struct spec_word l1tf_words[] = {
	{"dom0", &opt_l1tf_dom0}, {"domu", &opt_l1tf_domu}, {NULL, NULL},
};

/* One word of the list: NAME, no-NAME, NAME=VALUE. */
static int one_word(const struct spec_word *w, const char *s, size_t n)
{
	int value = 1;
	size_t name;

	if (n > 3 && !strncmp(s, "no-", 3)) {
		value = 0;
		s += 3;
		n -= 3;
	}
	for (name = 0; name < n && s[name] != '='; name++)
		;
	if (name < n && !parse_bool(s + name + 1, n - name - 1))
		value = 0;
	for (; w->name; w++)
		if (strlen(w->name) == name && !strncmp(w->name, s, name)) {
			if (w->var)
				*w->var = value;
			return 0;
		}
	return -EINVAL;
}

/* A list of words as above, or a plain yes or no for @all. */
static int parse_words(const struct spec_word *words, const char *s, void (*all)(bool on))
{
	int rc = 0, on;

	for (;;) {
		size_t n = 0;

		while (s[n] && s[n] != ',')
			n++;
		on = parse_bool(s, n);
		if (on >= 0)
			all(on);
		else if (one_word(words, s, n))
			rc = -EINVAL;
		if (!s[n])
			return rc;
		s += n + 1;
	}
}

static void spec_ctrl_all(bool on)
{
	if (!on)
		opt_ibpb = opt_verw = opt_ibrs = 0;
}

static int parse_spec_ctrl(const char *s)
{
	return parse_words(spec_ctrl_words, s, spec_ctrl_all);
}
BOOT_OPTION_FN("spec-ctrl", parse_spec_ctrl);

static void l1tf_all(bool on)
{
	opt_l1tf_dom0 = opt_l1tf_domu = on;
}

static int parse_pv_l1tf(const char *s)
{
	return parse_words(l1tf_words, s, l1tf_all);
}
BOOT_OPTION_FN("pv-l1tf", parse_pv_l1tf);

static bool host_has(unsigned int feature)
{
	return policy_has(&host_policy, feature);
}

/* Does VERW clear something here that leaks? MDS, TAA, MMIO stale data, RFDS; AMD's TSA. */
static bool verw_needed(void)
{
	if (host_has(F_VERW_CLEAR))
		return !host_has(F_TSA_SQ_NO) || !host_has(F_TSA_L1_NO);
	if (!host_has(F_MD_CLEAR))
		return host_has(F_FB_CLEAR) || host_has(F_RFDS_CLEAR);
	return !host_has(F_MDS_NO) || (host_has(F_RTM) && !host_has(F_TAA_NO)) ||
	       host_has(F_FB_CLEAR) || host_has(F_RFDS_CLEAR);
}

/* Open to Meltdown and to L1TF. */
bool spec_reads_l1(void)
{
	return host_policy.vendor == VENDOR_INTEL &&
	       !(host_policy.arch_caps & ARCH_CAPS_RDCL_NO);
}

bool spec_l1tf_checked(bool hardware_domain)
{
	int opt = hardware_domain ? opt_l1tf_dom0 : opt_l1tf_domu;

	return opt < 0 ? spec_reads_l1() : opt;
}

void spec_init(void)
{
	bool can_ibpb = host_has(F_IBPB) || host_has(F_IBRSB);

	spec_ibpb = can_ibpb && opt_ibpb;
	spec_verw = opt_verw < 0 ? verw_needed() : opt_verw;
	ibrs = opt_ibrs && ((host_has(F_IBRSB) && host_has(F_EIBRS)) || host_has(F_AUTO_IBRS));
	printk(LOG_INFO, "speculation: retpolines, return thunks; IBPB %s, VERW %s, IBRS %s\n",
	       spec_ibpb ? "on" : can_ibpb ? "off" : "not there", spec_verw ? "on" : "off",
	       ibrs ? "on" : "off");
}

void spec_init_cpu(void)
{
	cpu_info()->spec_flags = spec_verw ? SPEC_VERW : 0;
	if (!ibrs)
		return;
	/* Set once and for all: what is taught in ring 3 does not steer ring 0. */
	if (host_has(F_AUTO_IBRS))
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AUTO_IBRS);
	else
		wrmsr(MSR_SPEC_CTRL, SPEC_CTRL_IBRS);
}
