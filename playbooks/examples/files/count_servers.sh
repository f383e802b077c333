#!/bin/sh
# Copyright (c) 2026, onetoken.openstack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Needs only OS_TOKEN and the variables that go with it, and no session.
openstack server list -f value -c ID | wc -l
