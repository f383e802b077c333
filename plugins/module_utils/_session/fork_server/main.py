# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that starts a server: with a script, Python puts nothing of the user's in front of its search path."""

import sys

if __name__ == "__main__":
    # The directory of this file.
    del sys.path[0]
    from onetoken_session.fork_server import server

    server.main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
