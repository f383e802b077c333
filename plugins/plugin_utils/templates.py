# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strings that Ansible evaluates as templates, and how to quote others in them."""

from __future__ import annotations

try:
    from ansible.template import is_trusted_as_template, trust_as_template
except ImportError:  # before ansible-core 2.19, every string was a template unless it was marked as unsafe
    from ansible.utils.unsafe_proxy import AnsibleUnsafe

    def is_trusted_as_template(value: object) -> bool:
        return not isinstance(value, AnsibleUnsafe)

    def trust_as_template(value: str) -> str:
        return value


def template(text: str) -> str:
    """A string that Ansible evaluates as a template."""
    return trust_as_template(text)


def literal(text: str) -> str:
    """A part of a template that evaluates to this text, whatever is in it."""
    return text.replace("{", "{{ '{' }}")


def part(value: object) -> str:
    """A part of a template that evaluates to what this value of a playbook does."""
    return str(value) if is_trusted_as_template(value) else literal(str(value))
