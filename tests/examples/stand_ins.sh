# Copyright (c) 2026, onetoken.openstack contributors
# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later

# Stand-ins for commands that install things, as everything is installed already. $CHECKOUT is this repository, $SANDBOX
# the directory of the sandbox, $INSTALLED the directory of Ansible's commands.

# Checks that the targets exist. Other tests run them, and even `make --dry-run` would do some of the work.
make() {
    for word; do
        case "$word" in
            *=*) ;;
            *) grep --quiet "^$word:" "$CHECKOUT/Makefile" ;;
        esac
    done
}

# Checks that the requirements are well-formed.
pip() {
    test "$1" = install
    shift
    python -c '
import sys
from packaging.requirements import Requirement
assert [Requirement(word) for word in sys.argv[1:] if not word.startswith("-")]
' "$@"
}

# Makes a virtual environment that has Ansible already.
python3() {
    case "$1 $2" in
        "-m venv") mkdir -p "$3/bin" && echo "PATH='$3/bin:$INSTALLED':\$PATH" > "$3/bin/activate" ;;
        *) command python3 "$@" ;;
    esac
}

# Copies the checkout, in which `make` has run.
git() {
    test "$1" = clone
    directory=${3:-$(basename "$2" .git)}
    mkdir "$directory"
    cp -r "$CHECKOUT"/* "$directory"
    ln -s "$CHECKOUT"/.venv "$directory"
    ln -s "$SANDBOX" "$directory"/.sandbox
}

# Really builds and installs the collection, instead of the link to the checkout.
ansible-galaxy() {
    case "$*" in
        "collection install"*) rm -f ~/.ansible/collections/ansible_collections/onetoken/openstack ;;
    esac
    # This checkout stands for the repository on GitHub.
    command ansible-galaxy "${@/#git+https:\/\/github.com\/onetoken\/onetoken.openstack/$CHECKOUT}"
}
