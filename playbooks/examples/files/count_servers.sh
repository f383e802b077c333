#!/bin/sh
# Copyright (c) 2026, onetoken.openstack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Knows nothing of sessions: OS_TOKEN and its companions are all that it needs.
openstack server list -f value -c ID | wc -l
