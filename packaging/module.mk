# SPDX-License-Identifier: GPL-2.0-only
# What make install puts beside the programs (which their own folders install):
# units, the modprobe.d file that keeps the kernel's backends away, GRUB's menu entries, and sample
# configuration, all commented out (an existing file is kept).

SYSCONFDIR ?= /etc
UNITDIR ?= /usr/lib/systemd/system
MODPROBEDIR ?= /usr/lib/modprobe.d

DAEMONS := blkback netback

.PHONY: install-packaging
install: install-packaging
install-packaging:
	$(call say,INSTALL,units modprobe.d configuration)$(INSTALL) -d $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(MODPROBEDIR) $(DESTDIR)$(SYSCONFDIR)/xylem
	$(Q)for d in $(DAEMONS); do \
		sed 's|@PREFIX@|$(PREFIX)|g' packaging/$$d.service.in >$(DESTDIR)$(UNITDIR)/$$d.service && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$d.service || exit 1; \
		[ -e $(DESTDIR)$(SYSCONFDIR)/xylem/$$d.conf ] || \
			$(INSTALL) -m 644 packaging/$$d.conf $(DESTDIR)$(SYSCONFDIR)/xylem/ || exit 1; \
	done
	$(Q)$(INSTALL) -m 644 packaging/modprobe.conf $(DESTDIR)$(MODPROBEDIR)/xylem.conf
	$(Q)$(INSTALL) -d $(DESTDIR)$(SYSCONFDIR)/grub.d
	$(Q)$(INSTALL) packaging/21_linux_xylem $(DESTDIR)$(SYSCONFDIR)/grub.d/
