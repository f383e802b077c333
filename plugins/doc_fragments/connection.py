# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The connection options, which are those of openstack.cloud's modules, and what every module requires."""

    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - The cloud to work on, as the name of an entry in C(clouds.yaml), such as V(mycloud), or as a mapping with the
        content of such an entry.
      - Without O(cloud) and O(auth), E(OS_CLOUD) names the entry. If that is not set either, the C(OS_*) variables of a
        sourced C(openrc.sh) are used.
    type: raw
  auth:
    description:
      - Options of the plugin that signs in. For a password, these are C(auth_url), C(username), C(password),
        C(project_name), C(user_domain_name) and C(project_domain_name).
      - With O(cloud), these values override those of the cloud.
    type: dict
  auth_type:
    description:
      - The keystoneauth plugin that signs in, such as V(v3applicationcredential). By default, that of O(cloud) or
        E(OS_AUTH_TYPE), else V(password).
    type: str
  region_name:
    description: The region to work in, such as V(REGION1), instead of the configured one.
    type: str
  wait:
    description: Whether to wait until the cloud has finished the action. It has no effect on tokens.
    type: bool
    default: true
  timeout:
    description: How many seconds to keep trying while the cloud throttles requests or is out of service.
    type: int
    default: 180
  api_timeout:
    description: Seconds after which a single request without an answer fails, instead of the configured number.
    type: int
  validate_certs:
    description: Whether to verify the TLS certificates of the cloud. By default, as configured, or else V(true).
    type: bool
    aliases: [verify]
  ca_cert:
    description: Path to the CA certificates to trust, such as V(/etc/ssl/certs/example-ca.pem).
    type: str
    aliases: [cacert]
  client_cert:
    description: Path to the TLS client certificate.
    type: str
    aliases: [cert]
  client_key:
    description: Path to the key of O(client_cert), if that file does not contain it.
    type: str
    aliases: [key]
  interface:
    description: Which of a service's endpoints to use. By default, that of O(cloud), or else V(public).
    type: str
    choices: [admin, internal, public]
    aliases: [endpoint_type]
  sdk_log_path:
    description: Path to a file for openstacksdk's log, which only the bulk modules write. Without it, there is no log.
    type: str
  sdk_log_level:
    description: How much openstacksdk writes to O(sdk_log_path).
    type: str
    default: INFO
    choices: [INFO, DEBUG]
requirements:
  - python >= 3.10
  - openstacksdk >= 4.13.0, and below 4.15 where openstack.cloud is 2.5.0 or older
  - openstack.cloud >= 2.3.0
notes:
  - C(clouds.yaml) is the file that E(OS_CLIENT_CONFIG_FILE) names, or the first one found in the working directory,
    C(~/.config/openstack) and C(/etc/openstack).
"""
