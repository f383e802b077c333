# Copyright (c) 2026, onetoken.openstack contributors
# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later

# Commands that install things, as a page's shell has them: what is installed is there already. $CHECKOUT is this
# repository, $SANDBOX the directory of the cloud that the test runs against, $INSTALLED where Ansible's commands are.

# The targets exist. What they do is tested by itself, and `make --dry-run` does some of it.
make() {
    for word; do
        case "$word" in
            *=*) ;;
            *) grep --quiet "^$word:" "$CHECKOUT/Makefile" ;;
        esac
    done
}

# What is to be installed is well-formed.
pip() {
    test "$1" = install
    shift
    python -c '
import sys
from packaging.requirements import Requirement
assert [Requirement(word) for word in sys.argv[1:] if not word.startswith("-")]
' "$@"
}

# A virtual environment that has what is to be installed into it.
python3() {
    case "$1 $2" in
        "-m venv") mkdir -p "$3/bin" && echo "PATH='$INSTALLED':\$PATH" > "$3/bin/activate" ;;
        *) command python3 "$@" ;;
    esac
}

# A copy of the checkout, in which `make` was run.
git() {
    test "$1" = clone
    directory=${3:-$(basename "$2" .git)}
    mkdir "$directory"
    cp -r "$CHECKOUT"/* "$directory"
    ln -s "$CHECKOUT"/.venv "$directory"
    ln -s "$SANDBOX" "$directory"/.sandbox
}

# The collection is built and installed for real, in the place of the link to the checkout.
ansible-galaxy() {
    case "$*" in
        "collection install"*) rm -f ~/.ansible/collections/ansible_collections/onetoken/openstack ;;
    esac
    # What GitHub has is this checkout.
    command ansible-galaxy "${@/#git+https:\/\/github.com\/onetoken\/onetoken.openstack/$CHECKOUT}"
}
