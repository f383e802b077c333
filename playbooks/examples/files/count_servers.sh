#!/bin/sh
# Knows nothing of sessions: OS_TOKEN and its companions are all that it needs.
openstack server list -f value -c ID | wc -l
